"""What a model answers: small records that print well, become JSON, and carry their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ravl.json_types import JsonObject
from ravl.memory import Row
from ravl.runs.provenance import HERE, Provenance


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row of the memory behind an answer.

    Args:
        row: what the memory knows about it.
        similarity: of its picture to the query's, a cosine of keys.
        share: of its vote in the decision, 0 to 1; all shares sum to the gate.
        says: its label or its tags; empty where it says nothing itself.
    """

    row: Row
    similarity: float
    share: float
    says: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row.id

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "id": self.id,
            "picture": str(self.row.path) if self.row.path else None,
            "says": list(self.says),
            "texts": list(self.row.texts),
            "similarity": round(self.similarity, 4),
            "share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What all answers have.

    Args:
        confidence: probability that the answer is right, 0 to 1.
        abstained: True where the confidence is too low for the risk that was asked for.
        gate: share of the memory's vote in the decision; the rest is the model's.
        scores: probabilities of the likeliest answers.
        memory: the same of the memory's vote alone.
        model: the same of the model alone; empty for a run that only votes.
        evidence: the neighbours, the largest shares first.
        origin: where a server's answer comes from; empty for an answer that was made here.
    """

    confidence: float
    abstained: bool
    gate: float
    scores: Mapping[str, float]
    memory: Mapping[str, float]
    model: Mapping[str, float]
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    origin: Provenance = field(default=HERE, repr=False, compare=False)

    @property
    def said(self) -> str:
        """The answer in words."""
        raise NotImplementedError

    @property
    def asked(self) -> str:
        """What was asked about the picture; empty where nothing was."""
        return ""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The answer as names of a list; None where it is words of its own."""
        return None

    @property
    def disagreement(self) -> float:
        """Of the memory's vote and the model, 0 to 1: what they do not share (Ruzicka)."""
        names = dict.fromkeys([*self.memory, *self.model])
        pairs = [(self.memory.get(name, 0.0), self.model.get(name, 0.0)) for name in names]
        either = sum(max(pair) for pair in pairs)
        return 1.0 - sum(min(pair) for pair in pairs) / either if either else 0.0

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "confidence": round(self.confidence, 4),
            "abstained": self.abstained,
            "gate": round(self.gate, 4),
            "scores": _rounded(self.scores),
            "memory": _rounded(self.memory),
            "model": _rounded(self.model),
            "evidence": [e.to_json() for e in self.evidence],
        }

    def __str__(self) -> str:
        unsure = "  (abstains)" if self.abstained else ""
        return f"{self.said}  {100 * self.confidence:.0f} %{unsure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification(Answer):
    """A picture's label.

    Args:
        label: the likeliest, also where the model abstained.
    """

    label: str

    @property
    def said(self) -> str:
        """The label."""
        return self.label

    @property
    def names(self) -> tuple[str, ...]:
        """The label."""
        return (self.label,)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {"label": self.label, **Answer.to_json(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging(Answer):
    """A picture's tags.

    Args:
        tags: the likeliest first; its ``confidence`` is that of the surest.
    """

    tags: tuple[str, ...]

    @property
    def said(self) -> str:
        """The tags."""
        return ", ".join(self.tags) or "no tag"

    @property
    def names(self) -> tuple[str, ...]:
        """The tags."""
        return self.tags

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {"tags": list(self.tags), **Answer.to_json(self)}


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}
