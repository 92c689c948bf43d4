"""What a source of data yields: examples, and items that had to be set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ravl.data.text import nfc

Scalar = str | int | float | bool | None
"""Values of a user column. Lists and objects are stored as JSON text."""


@dataclass(frozen=True, slots=True)
class QA:
    """A question about a picture, with one or several answers.

    Args:
        question: the text of the question.
        answers: all answers, the best or most frequent first.
    """

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture with all data that a source has about it.

    An empty field means that the source does not have the data. So indexing a folder of pictures
    after a table of captions keeps the captions. If the source had the data before, it takes the
    data back. All texts are kept in Unicode's normal form C; labels and tags are trimmed.

    Args:
        id: unique within a memory; readers use the picture's path relative to its root.
        picture: a file, or the encoded bytes of one (JPEG, PNG ...), or None for a text-only row.
        texts: captions or descriptions, any language.
        label: its class; an empty text is no class.
        tags: keywords, without order or doubles.
        qa: questions with answers.
        columns: all other data of the source (price, date, photographer ...).
        source: the origin in words: "shop.csv, line 12".
    """

    id: str
    picture: Path | bytes | None = None
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    qa: tuple[QA, ...] = ()
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__  # the class is frozen for all others
        put(self, "id", nfc(self.id))
        put(self, "texts", tuple([nfc(text) for text in self.texts]))
        put(self, "label", nfc(self.label or "").strip() or None)
        tags = [nfc(tag).strip() for tag in self.tags]
        put(self, "tags", tuple([tag for tag in tags if tag]))
        put(self, "qa", tuple([QA(nfc(q.question), tuple(map(nfc, q.answers))) for q in self.qa]))
        put(self, "columns", columns_in_nfc(self.columns))


def columns_in_nfc(columns: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Columns with their names and texts in Unicode's normal form C."""
    return {nfc(k): nfc(v) if isinstance(v, str) else v for k, v in columns.items()}


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that was set aside because it could not be read; it is counted and reported.

    Args:
        place: the location, in words and as the key: a path, or "shop.csv, line 12".
        reason: a sentence that says what is wrong and, if possible, what to do.
    """

    place: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.place in self.reason else f"{self.place}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        """As plain JSON types."""
        return {"place": self.place, "reason": self.reason}
