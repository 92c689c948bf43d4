"""One row of a memory, and its form as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ravl.data import QA, Example, Scalar

COLUMNS = (
    "row, id, path, hash, width, height, phash, twin, label, texts, tags, qa, columns, source, "
    "added, changed"
)


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
        twin: number of the first row of its group of near-duplicates, None where it has none.
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
    twin: int | None = None
    added: str = ""
    changed: str = ""

    @property
    def caption(self) -> str:
        """The best short description there is: its first text, else label, tags, or id."""
        return self.texts[0] if self.texts else self.label or ", ".join(self.tags) or self.id

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

    def to_json(self) -> dict[str, Any]:
        """All that users put in, as plain JSON types; empty fields are left out."""
        fields: dict[str, Any] = {
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


def told(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that users put in, out of what :meth:`Row.to_json` gives."""
    picture = data.get("picture")
    return {
        "id": data["id"],
        "path": Path(picture) if picture else None,
        "label": data.get("label"),
        "texts": tuple(data.get("texts", ())),
        "tags": tuple(data.get("tags", ())),
        "qa": tuple(QA(q["question"], tuple(q["answers"])) for q in data.get("qa", ())),
        "columns": dict(data.get("columns", {})),
        "source": data.get("source", ""),
    }


def from_record(record: sqlite3.Row | tuple[Any, ...], folder: Path) -> Row:
    """A row from a record of ``COLUMNS``; relative paths are below the memory's folder."""
    (
        number,
        id_,
        path,
        hash_,
        width,
        height,
        phash,
        twin,
        label,
        texts,
        tags,
        qa,
        columns,
        source,
        added,
        changed,
    ) = record
    return Row(
        number=number,
        id=id_,
        path=folder / path if path else None,
        label=label,
        texts=tuple(json.loads(texts)),
        tags=tuple(json.loads(tags)),
        qa=qa_from_json(qa),
        columns=json.loads(columns),
        source=source,
        hash=hash_,
        width=width,
        height=height,
        phash=phash,
        twin=twin,
        added=added,
        changed=changed,
    )


def qa_to_json(qa: tuple[QA, ...]) -> str:
    """As ``[[question, [answers]]]``."""
    return dumps([[q.question, list(q.answers)] for q in qa])


def qa_from_json(text: str) -> tuple[QA, ...]:
    """The inverse of :func:`qa_to_json`."""
    return tuple(QA(question, tuple(answers)) for question, answers in json.loads(text))


def dumps(value: Any) -> str:
    """Compact JSON with readable characters, keys in order so that equal values look equal."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def unwritable(row: Row) -> str | None:
    """Why the memory's file cannot keep such a row, as a sentence; None where it can."""
    if "\0" in row.id:  # SQLite's JSON drops it, so that the row could not be found by its id
        return f"The id {row.id!r} holds a NUL character. Take it out."
    try:
        json.dumps(row.to_json(), ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "A text in it holds half a character (a lone surrogate). Write it as UTF-8."
    except (TypeError, ValueError) as error:  # NaN would break every filter on its column
        return f"A column holds what JSON cannot say ({error}). Leave it out, or make it a text."
    return None
