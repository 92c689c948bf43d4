"""Rows as records of the table ``rows``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ravl.data import QA
from ravl.data.text import nfc
from ravl.errors import MemoryFileError
from ravl.json_types import JsonObject, JsonValue
from ravl.store.row import Row, columns_in, texts_in
from ravl.untrusted import ADVICE, MOST_IN_CELL, damage_of, parse_json

COLUMNS = (
    "row, id, path, hash, width, height, phash, twin, label, texts, tags, qa, columns, source, "
    "added, changed"
)


def from_record(record: tuple[Any, ...], folder: Path) -> Row:
    """A row from a record of ``COLUMNS``; relative paths are below the memory's folder.

    Raises:
        MemoryFileError: a cell holds something else than ravl writes.
    """
    with damage_of(f"Row {record[0]!r:.20} of the memory in {folder}", ADVICE, MemoryFileError):
        number, id_, path, hash_, width, height, phash, duplicate_of = record[:8]
        label, texts, tags, qa, columns, source, added, changed = record[8:]
        words = (id_, source, added, changed, *(t for t in (path, hash_, label) if t is not None))
        if not _all(str, words):
            raise ValueError("a text is not a text")
        sizes = (number, *(n for n in (width, height, phash, duplicate_of) if n is not None))
        if not _all(int, sizes):
            raise ValueError("a number is not a number")
        return Row(
            number=number,
            id=id_,
            path=read_path(path, folder) if path else None,
            label=label,
            texts=texts_in(_list(texts)),
            tags=texts_in(_list(tags)),
            qa=tuple(QA(texts_in([ask])[0], texts_in(answers)) for ask, answers in _list(qa)),
            columns={} if columns == "{}" else columns_in(parse_json(columns, MOST_IN_CELL)),
            source=source,
            hash=hash_,
            width=width,
            height=height,
            phash=phash,
            duplicate_of=duplicate_of,
            added=added,
            changed=changed,
        )


def _all(kind: type[object], values: Iterable[object]) -> bool:
    return all(type(value) is kind for value in values)


def _list(cell: str) -> list[JsonValue]:
    """The list in a cell; many cells are empty."""
    found = [] if cell == "[]" else parse_json(cell, MOST_IN_CELL)
    if not isinstance(found, list):
        raise ValueError("a list is something else")
    return found


def to_record(row: Row, folder: Path) -> JsonObject:
    """The columns of a row by name, without its number and times."""
    return {
        "id": row.id,
        "path": stored_path(row.path, folder),
        "hash": row.hash,
        "width": row.width,
        "height": row.height,
        "phash": row.phash,
        "twin": row.duplicate_of,
        "label": None if row.label is None else nfc(row.label).strip(),
        "texts": nfc(dumps(list(row.texts))),
        "tags": nfc(dumps(list(row.tags))),
        "qa": nfc(dumps([[q.question, list(q.answers)] for q in row.qa])),
        "columns": nfc(dumps(dict(row.columns))),
        "source": row.source,
    }


def read_path(path: str, folder: Path) -> Path:
    """The inverse of :func:`stored_path`; ValueError where no file can be called so."""
    parts = path.split("/")
    if "\0" in path or max(len(part.encode()) for part in parts) > 255 or len(path) > 4096:
        raise ValueError("a path is not one that a file can have")
    return folder / path


def stored_path(path: Path | None, folder: Path) -> str | None:
    """Relative to the memory where possible, so that both can be moved together."""
    if path is None:
        return None
    full = path if path.is_absolute() else Path.cwd() / path
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def dumps(value: object) -> str:
    """Compact JSON with readable characters, keys in order so that equal values look equal."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
