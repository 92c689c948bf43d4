"""The fields of feedback about an answer."""

from __future__ import annotations

from collections.abc import Mapping

from ravl.runs.answers import Answer
from ravl.tasks import registry


def judged(answer: object) -> Mapping[str, object]:
    """The fields of feedback that an answer provides; a plain value provides only itself."""
    if not isinstance(answer, Answer):
        return {"answer": answer}
    task = next(t for t in registry.tasks() if t.answers and t.answer_type() is type(answer))
    return {
        "task": task.command,
        "run": answer.origin.run,
        "version": answer.origin.version,
        **task.feedback(answer),
    }
