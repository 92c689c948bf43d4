"""The tasks that choose among names, by their own names."""

from __future__ import annotations

from ravl.tasks.labels.targets import LabelTargets


def label_task(
    name: str, column: str | None = None, width: int = 0, generated: bool = False
) -> LabelTargets:
    """The task that is called classify, tag or ask.

    Args:
        name: of the task.
        column: see :class:`LabelTargets`.
        width: of a picture's features, which ask has to tell from a question's.
        generated: see :class:`LabelTargets`.
    """
    if name == "ask":
        from ravl.tasks.ask.targets import AnswerTargets

        return AnswerTargets("ask", None, generated, width)
    return LabelTargets(name, column, generated)  # type: ignore[arg-type]
