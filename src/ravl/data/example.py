"""What a source of data yields: examples, and the ones that had to be set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Scalar = str | int | float | bool | None
"""What a user column may hold. Lists and objects are kept as their JSON text."""


@dataclass(frozen=True, slots=True)
class QA:
    """A question about a picture and its answers (one, or several people's).

    Args:
        question: the question as it was asked.
        answers: every answer given to it, best or most frequent first.
    """

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture with all that a source says about it.

    An empty field means that the source says nothing about it, so that indexing a folder of
    pictures after a table of captions keeps the captions.

    Args:
        id: unique within a memory; readers use the picture's path relative to its root.
        picture: a file, or the encoded bytes of one (JPEG, PNG ...), or None for a text-only row.
        texts: captions or descriptions, any language.
        label: its class.
        tags: keywords, without order or doubles.
        qa: questions with answers.
        columns: whatever else the source knows (price, date, photographer ...).
        source: where it comes from, for people: "shop.csv, line 12".
    """

    id: str
    picture: Path | bytes | None = None
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    qa: tuple[QA, ...] = ()
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that was set aside instead of read; it is counted and reported, never lost.

    Args:
        place: where it is, for people and as its key: a path, or "shop.csv, line 12".
        reason: a sentence that says what is wrong and, where possible, what to do.
    """

    place: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.place in self.reason else f"{self.place}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        """As plain JSON types."""
        return {"place": self.place, "reason": self.reason}
