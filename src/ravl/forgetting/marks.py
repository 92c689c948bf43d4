"""What a row can be recognised by in the bytes of any file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ravl.data import pictures
from ravl.encoders.base import Array
from ravl.errors import MemoryFileError, PictureError
from ravl.memory import Memory
from ravl.store.row import Row
from ravl.store.space import KINDS
from ravl.store.sqlite.sound import STORED

SHORTEST = 4  # characters of a text that is looked for
LONGEST = 60  # characters of a text that are looked for
WINDOW = 48  # bytes of a picture or vector that are looked for
VARIED = 8  # different bytes in them, so that no other file has the same by chance


@dataclass(frozen=True, slots=True)
class Mark:
    """Bytes that give a row away.

    Args:
        what: they are: its id, hash, label, text, picture or vector.
        data: the bytes.
        word: they must stand alone, not within a longer word or number.
    """

    what: str
    data: bytes
    word: bool = False


@dataclass
class Wanted:
    """A row that is looked for, or a picture of one that is gone.

    Args:
        name: as the caller gave it.
        ids: of the row.
        hashes: of its picture.
        marks: what it says and has, as far as it is known.
        path: of its own picture file.
    """

    name: str
    ids: set[str] = field(default_factory=set)
    hashes: set[str] = field(default_factory=set)
    marks: list[Mark] = field(default_factory=list)
    path: Path | None = None

    def all_marks(self) -> Iterator[Mark]:
        """Also those of ids and hashes."""
        for id in self.ids:
            yield from _of_text("id", id)
        for hash in self.hashes:
            yield Mark("hash", hash.encode())
        yield from self.marks


def marks_of(memory: Memory, row: Row, others: frozenset[str]) -> list[Mark]:
    """What a row says and has.

    Args:
        memory: of the row.
        row: one that is still there.
        others: texts of rows that stay, which give nothing away.
    """
    found: list[Mark] = []
    for what, text in says(row):
        if text not in others:
            found += _of_text(what, text)
    if row.hash is not None:
        with suppress(PictureError):  # its file is gone or has been replaced
            found += _of_picture(memory.picture_bytes(row))
    with suppress(MemoryFileError):  # vectors of a damaged memory; its rows can be forgotten
        for kind in KINDS:
            for vector in memory.store.vectors.of_rows(kind, [row.number])[1]:
                found += _of_vector(vector)
    return found


def of_file(file: Path) -> Wanted:
    """The picture in a file.

    Raises:
        PictureError: the file cannot be read.
    """
    data = pictures.read_bytes(file)
    hash = pictures.content_hash(data)
    return Wanted(str(file), hashes={hash}, marks=_of_picture(data), path=file)


def says(row: Row) -> Iterator[tuple[str, str]]:
    """What a row says, each with its kind: texts, label, tags, questions, answers, columns."""
    yield from (("text", text) for text in row.texts)
    if row.label:
        yield "label", row.label
    yield from (("text", tag) for tag in row.tags)
    for qa in row.qa:
        yield "text", qa.question
        yield from (("text", answer) for answer in qa.answers)
    yield from (("text", value) for value in row.columns.values() if isinstance(value, str))


def said_by(rows: Iterable[Row]) -> frozenset[str]:
    """All that some rows say."""
    return frozenset(text for row in rows for _, text in says(row))


def _of_text(what: str, text: str) -> list[Mark]:
    """A text as it stands in files: plain, in JSON, in HTML."""
    from markupsafe import escape

    short = text.strip()[:LONGEST]
    if len(short) < SHORTEST:
        return []
    whole = len(short) == len(text.strip())
    forms = {short, str(escape(short)), json.dumps(short)[1:-1]}
    forms.add(json.dumps(short, ensure_ascii=False)[1:-1])
    return [Mark(what, form.encode("utf-8", "replace"), whole) for form in sorted(forms)]


def _of_picture(data: bytes) -> list[Mark]:
    thirds = (len(data) // 3, 2 * len(data) // 3)
    parts = [data[at : at + WINDOW] for at in thirds]
    return [Mark("picture", part) for part in parts if len(set(part)) >= VARIED]


def _of_vector(vector: Array) -> list[Mark]:
    """A vector (d,) as it is stored, and in single precision."""
    parts = (_varied(vector.astype(kind).tobytes()) for kind in (STORED, np.dtype("<f4")))
    return [Mark("vector", part) for part in parts if len(set(part)) >= VARIED]


def _varied(blob: bytes) -> bytes:
    """The part of a vector with the most different bytes; much of it may be zeros."""
    parts: Sequence[bytes] = [blob[i : i + WINDOW] for i in range(0, len(blob), WINDOW)]
    return max(parts, key=lambda part: len(set(part)), default=b"")
