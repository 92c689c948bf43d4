"""The tasks that choose among names, by their own names."""

from __future__ import annotations

from ravl.tasks.labels.task import LabelTask


def label_task(
    name: str, column: str | None = None, width: int = 0, generated: bool = False
) -> LabelTask:
    """The task that is called classify, tag or ask.

    Args:
        name: of the task.
        column: see :class:`LabelTask`.
        width: of a picture's features, which ask has to tell from a question's.
        generated: see :class:`LabelTask`.
    """
    if name == "ask":
        from ravl.tasks.ask.task import AskTask

        return AskTask("ask", None, generated, width)
    return LabelTask(name, column, generated)  # type: ignore[arg-type]
