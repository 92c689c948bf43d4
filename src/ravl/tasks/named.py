"""The tasks that choose among names, by their own names."""

from __future__ import annotations

from ravl.tasks.labels import LabelTask


def label_task(name: str, column: str | None = None, width: int = 0) -> LabelTask:
    """The task that is called classify, tag or ask.

    Args:
        name: of the task.
        column: see :class:`LabelTask`.
        width: of a picture's features, which ask has to tell from a question's.
    """
    if name == "ask":
        from ravl.tasks.ask.task import AskTask

        return AskTask("ask", None, width)
    return LabelTask(name, column)  # type: ignore[arg-type]
