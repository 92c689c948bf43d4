"""The bin: rows whose files have gone, with their vectors, until they are restored or emptied.

A row in the bin is in no search and no vote. Restored, it needs no network.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ravl.errors import RowNotFoundError
from ravl.store import rows as store
from ravl.store.collection import Collection
from ravl.store.duplicates import mark_twins
from ravl.store.row import COLUMNS, Row, dumps, from_record
from ravl.store.spaces import (
    Space,
    current_space,
    pack,
    read_text_vectors,
    read_vectors,
    unpack,
)

Connection = sqlite3.Connection
BLOBS = ("vector", "feature", "text_vectors", "picture")


@dataclass(frozen=True, slots=True)
class TrashedRow:
    """A row in the bin.

    Args:
        row: as it was.
        at: when it came there, UTC, ISO 8601.
    """

    row: Row
    at: str

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**self.row.to_json(), "binned": self.at}


def ensure(connection: Connection) -> None:
    """Make the tables, in files that have none yet."""
    for statement in (files("ravl.store") / "sync.sql").read_text("utf-8").split(";\n"):
        connection.execute(statement)


def throw(connection: Connection, version: int, row: Row) -> None:
    """Take a row out of the memory, into the bin; inside a transaction."""
    space = current_space(connection)
    vector = read_vectors(connection, "vectors", space.number, [row.number]).get(row.number)
    feature = read_vectors(connection, "features", space.number, [row.number]).get(row.number)
    texts = read_text_vectors(connection, space, row.number)
    picture = connection.execute("SELECT bytes FROM pictures WHERE row = ?", (row.number,))
    record = connection.execute(f"SELECT {COLUMNS} FROM rows WHERE row = ?", (row.number,))
    connection.execute(
        "INSERT OR REPLACE INTO bin VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.number,
            store.now(),
            dumps(list(record.fetchone())),
            space.number,
            pack(vector) if vector is not None else None,
            pack(feature) if feature is not None else None,
            pack(texts) if len(texts) else None,
            (picture.fetchone() or (None,))[0],
        ),
    )
    store.delete_row(connection, version, row)


def listed(connection: Connection, folder: Path) -> Iterator[TrashedRow]:
    """What is in the bin, the newest first."""
    ensure(connection)
    for record, at in connection.execute("SELECT record, at FROM bin ORDER BY at DESC, row"):
        yield TrashedRow(from_record(tuple(json.loads(record)), folder), at)


def restore(memory: Collection, ids: Iterable[str] | None = None) -> list[str]:
    """Bring rows back, all or some; one whose id is taken again stays in the bin.

    Args:
        memory: whose bin.
        ids: of the rows; None for all.

    Returns:
        Ids of those that are back.

    Raises:
        RowNotFoundError: one of the ids is not in the bin; then nothing is restored.
    """
    with memory.database.transaction() as connection:
        chosen = _chosen(memory, connection, ids)
        taken = store.find_rows(connection, [row.id for row in chosen], memory.folder)
        back = [row for row in chosen if row.id not in taken]
        if not back:
            return []
        version = store.new_version(connection, f"restore {len(back):,} from the bin")
        for row in back:
            put_back(memory, connection, version, row, row)
            _keep_without_file(memory, connection, row)
        mark_twins(connection)
    return [row.id for row in back]


def put_back(memory: Collection, connection: Connection, version: int, row: Row, new: Row) -> None:
    """A row out of the bin, perhaps under another id and path; inside a transaction."""
    space = current_space(connection)
    found = connection.execute(
        f"SELECT space, {', '.join(BLOBS)} FROM bin WHERE row = ?", (row.number,)
    ).fetchone()
    computed = _computed(memory, space, found, new.texts)
    new = replace(new, twin=None)
    store.put_row(connection, version, space.number, memory.folder, new, computed)
    connection.execute("DELETE FROM bin WHERE row = ?", (row.number,))


def empty(memory: Collection, ids: Iterable[str] | None = None) -> int:
    """Forget what is in the bin, all or some; returns how many rows.

    Raises:
        RowNotFoundError: one of the ids is not in the bin; then nothing is forgotten.
    """
    with memory.database.transaction() as connection:
        if ids is None:
            ensure(connection)
            return connection.execute("DELETE FROM bin").rowcount
        chosen = _chosen(memory, connection, ids)
        connection.executemany("DELETE FROM bin WHERE row = ?", [(r.number,) for r in chosen])
    return len(chosen)


def _chosen(memory: Collection, connection: Connection, ids: Iterable[str] | None) -> Sequence[Row]:
    """Rows in the bin, the newest of those with one id."""
    rows: dict[str, Row] = {}
    for binned in listed(connection, memory.folder):
        rows.setdefault(binned.row.id, binned.row)
    if ids is None:
        return list(rows.values())
    wanted = [ids] if isinstance(ids, str) else list(ids)
    missing = [id for id in wanted if id not in rows]
    if missing:
        raise RowNotFoundError(
            f"There is no row {missing[0]!r} in the bin of {memory.path}. See what is there with: "
            f"ravl bin {memory.path}"
        )
    return [rows[id] for id in dict.fromkeys(wanted)]


def _computed(memory: Collection, space: Space, found: Any, texts: Sequence[str]) -> store.Computed:
    """What the encoder made of a row; texts are read again where that was another encoder.

    The picture of such a row has no vector until its file is there again.
    """
    made_by, vector, feature, text_vectors, picture = found
    if made_by != space.number:
        vectors = memory.encoder.embed_texts(list(texts)) if texts else None
        return store.Computed(text_vectors=vectors, picture=picture)
    return store.Computed(
        vector=unpack([vector], space.dimension)[0] if vector else None,
        feature=_features(feature),
        text_vectors=unpack([text_vectors], space.dimension) if text_vectors else None,
        picture=picture,
    )


def _features(blob: bytes | None) -> Any:
    return None if blob is None else unpack([blob], len(blob) // 2)[0]


def _keep_without_file(memory: Collection, connection: Connection, row: Row) -> None:
    """So that the next sync does not throw it away again."""
    if row.path is not None and not row.path.exists():
        path = store.stored_path(row.path, memory.folder)
        connection.execute("INSERT OR REPLACE INTO files VALUES (?, -1, 0)", (path,))
