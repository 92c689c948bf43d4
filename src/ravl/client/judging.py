"""What feedback says of the answer that it is about."""

from __future__ import annotations

from typing import Any

from ravl.client.provenance import (
    ServedCaption,
    ServedClassification,
    ServedMatching,
    ServedReply,
    ServedTagging,
)


def judged(answer: Any) -> dict[str, Any]:
    """The fields of feedback that an answer knows itself; a plain value knows nothing else."""
    if isinstance(answer, ServedClassification):
        told: dict[str, Any] = {"task": "classify", "answer": answer.label}
    elif isinstance(answer, ServedTagging):
        told = {"task": "tag", "answer": list(answer.tags)}
    elif isinstance(answer, ServedMatching):
        told = {"task": "match", "answer": answer.fits, "asked": answer.text}
    elif isinstance(answer, ServedCaption):
        told = {"task": "caption", "answer": answer.text}
    elif isinstance(answer, ServedReply):
        told = {"task": "ask", "answer": answer.answer, "asked": answer.question}
    else:
        return {"answer": answer}
    return {**told, "run": answer.origin.run, "version": answer.origin.version}
