"""Rows as records of the table ``rows``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ravl.data import QA
from ravl.data.text import nfc
from ravl.json_types import JsonObject
from ravl.store.row import Row

COLUMNS = (
    "row, id, path, hash, width, height, phash, twin, label, texts, tags, qa, columns, source, "
    "added, changed"
)


def from_record(record: tuple[Any, ...], folder: Path) -> Row:
    """A row from a record of ``COLUMNS``; relative paths are below the memory's folder."""
    number, id_, path, hash_, width, height, phash, duplicate_of = record[:8]
    label, texts, tags, qa, columns, source, added, changed = record[8:]
    return Row(
        number=number,
        id=id_,
        path=folder / path if path else None,
        label=label,
        texts=tuple(json.loads(texts)),
        tags=tuple(json.loads(tags)),
        qa=tuple(QA(question, tuple(answers)) for question, answers in json.loads(qa)),
        columns=json.loads(columns),
        source=source,
        hash=hash_,
        width=width,
        height=height,
        phash=phash,
        duplicate_of=duplicate_of,
        added=added,
        changed=changed,
    )


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


def stored_path(path: Path | None, folder: Path) -> str | None:
    """Relative to the memory where possible, so that both can be moved together."""
    if path is None:
        return None
    full = path if path.is_absolute() else Path.cwd() / path
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def dumps(value: object) -> str:
    """Compact JSON with readable characters, keys in order so that equal values look equal."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
