"""One row of a memory, and its form as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ravl.data import QA, Example, Scalar
from ravl.encoders.base import Array, Numbers
from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonRecord, JsonValue


@dataclass(frozen=True, slots=True)
class Row:
    """What the memory keeps about one picture (or text).

    Args:
        number: internal number; larger means added later.
        id: the name that the user knows it by.
        path: the picture's file, or None for a text-only row or bytes that were copied in.
        texts, label, tags, qa, columns, source: see :class:`ravl.data.Example`.
        hash: hash of the picture file's bytes, None for a text-only row.
        width, height: of the picture in pixels, as it is seen upright.
        phash: perceptual hash of the picture, 64 bits.
        duplicate_of: number of the first row of its group of near-duplicates, None where it has
            none.
        added, changed: when, UTC, ISO 8601.
    """

    number: int
    id: str
    path: Path | None = None
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    qa: tuple[QA, ...] = ()
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    source: str = ""
    hash: str | None = None
    width: int | None = None
    height: int | None = None
    phash: int | None = None
    duplicate_of: int | None = None
    added: str = ""
    changed: str = ""

    @property
    def caption(self) -> str:
        """The best short description there is: its first text, else label, tags, or id."""
        return self.texts[0] if self.texts else self.label or ", ".join(self.tags) or self.id

    @property
    def group(self) -> int:
        """Number of the first row of its group of near-duplicates; its own where it has none."""
        return self.duplicate_of or self.number

    def example(self) -> Example:
        """What a source would say about it; the picture by its path."""
        return Example(
            id=self.id,
            picture=self.path,
            texts=self.texts,
            label=self.label,
            tags=self.tags,
            qa=self.qa,
            columns=self.columns,
            source=self.source,
        )

    def to_json(self) -> JsonObject:
        """All that users put in, as plain JSON types; empty fields are left out."""
        fields: JsonObject = {
            "id": self.id,
            "picture": str(self.path) if self.path else None,
            "label": self.label,
            "texts": list(self.texts),
            "tags": list(self.tags),
            "qa": [{"question": q.question, "answers": list(q.answers)} for q in self.qa],
            "columns": dict(self.columns),
            "source": self.source,
        }
        return {k: v for k, v in fields.items() if v not in (None, "", [], {})}


@dataclass(frozen=True, slots=True)
class Computed:
    """What the encoder made of a row; None where the row's old one still holds.

    Args:
        vector: (d,) of the picture.
        feature: (F,) of the picture.
        text_vectors: (t, d) of its texts.
        picture: the encoded picture, where it is to be copied in.
    """

    vector: Array | None = None
    feature: Numbers | None = None
    text_vectors: Array | None = None
    picture: bytes | None = None


NOTHING_COMPUTED = Computed()


def check_computed(old: Row | None, new: Row, computed: Computed) -> None:
    """Refuse to write a row without the vectors that find it.

    Args:
        old: the row as it is, None for a new one.
        new: the row as it is to be.
        computed: what comes with it.

    Raises:
        DataError: the picture is new and has no vector, or the vectors are not those of the texts.
    """
    if new.hash is not None and computed.vector is None and (old is None or old.hash != new.hash):
        raise DataError(f"The row {new.id!r} has a new picture without a vector. Encode it first.")
    vectors = computed.text_vectors
    if vectors is None and new.texts != (old.texts if old else ()):
        raise DataError(f"The row {new.id!r} has new texts without vectors. Encode them first.")
    if vectors is not None and len(vectors) != len(new.texts):
        raise DataError(
            f"The row {new.id!r} has {len(new.texts):,} texts, and {len(vectors):,} vectors came "
            "with them. Encode its texts again."
        )


def user_fields(data: JsonRecord) -> JsonObject:
    """The fields of a row that users put in, out of what :meth:`Row.to_json` gives.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: the data is not of that form.
    """
    picture, label = data.get("picture"), data.get("label")
    return {
        "id": _text(data["id"]),
        "path": Path(_text(picture)) if picture else None,
        "label": None if label is None else _text(label),
        "texts": texts_in(data.get("texts", [])),
        "tags": texts_in(data.get("tags", [])),
        "qa": tuple(QA(_text(q["question"]), texts_in(q["answers"])) for q in data.get("qa", ())),
        "columns": columns_in(data.get("columns", {})),
        "source": _text(data.get("source", "")),
    }


def texts_in(value: JsonValue) -> tuple[str, ...]:
    """A list of texts that was read; ValueError where it is something else."""
    if not isinstance(value, list) or not all(type(text) is str for text in value):
        raise ValueError("a list of texts holds something else")
    return tuple(value)


def columns_in(value: JsonValue) -> dict[str, Scalar]:
    """The user's columns that were read; ValueError where they are something else."""
    if not isinstance(value, dict):
        raise ValueError("the columns are not an object")
    if any(isinstance(each, dict | list) for each in value.values()):
        raise ValueError("a column holds several values")
    return value


def _text(value: JsonValue) -> str:
    if type(value) is not str or "\0" in value:
        raise ValueError("a text is not a text")
    return value


def unwritable(row: Row) -> str | None:
    """Why a store cannot keep such a row, as a sentence; None where it can."""
    if "\0" in row.id:  # SQLite's JSON drops it, so that the row could not be found by its id
        return f"The id {row.id!r} holds a NUL character. Take it out."
    try:
        json.dumps(row.to_json(), ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "A text in it holds half a character (a lone surrogate). Write it as UTF-8."
    except (TypeError, ValueError) as error:  # NaN would break every filter on its column
        return (
            f"A column holds a value that JSON cannot keep ({error}). "
            "Leave it out, or make it a text."
        )
    return None
