"""Compacting: what was deleted leaves the file, and with it what history knew of it."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from ravl.store import trash as bin
from ravl.store.collection import Collection
from ravl.store.sqlite import files_of

GONE = "(forgotten)"  # in place of the ids of such rows, in the history


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What compacting did.

    Args:
        forgotten: rows that were deleted, of which the file holds nothing any more.
        before, after: bytes of the file and its log.
    """

    forgotten: int
    before: int
    after: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def compact(memory: Collection) -> CompactReport:
    """Forget all that was deleted, and give its room back; see :meth:`Memory.compact`."""
    before = _size(memory)
    with memory.database.transaction() as connection:
        bin.ensure(connection)
        forgotten = _forget_history(connection)
        _forget_files(memory, connection)
        connection.execute("INSERT INTO keywords (keywords) VALUES ('optimize')")
    with memory.database.errors():
        connection = memory.database.connection
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return CompactReport(forgotten, before, _size(memory))


def _forget_history(connection: sqlite3.Connection) -> int:
    """Take out of the history what it says of rows that are neither there nor in the bin."""
    gone = "row NOT IN (SELECT row FROM rows UNION SELECT row FROM bin)"
    found = connection.execute(
        f"SELECT DISTINCT row, id FROM changes WHERE {gone} AND id != ?", (GONE,)
    ).fetchall()
    for row, id in found:
        told = connection.execute(
            "SELECT version, what FROM versions WHERE version IN "
            "(SELECT version FROM changes WHERE row = ?)",
            (row,),
        ).fetchall()
        whole = re.compile(rf"(?<!\S){re.escape(id)}(?!\S)")  # an id may be a part of a word
        connection.executemany(
            "UPDATE versions SET what = ? WHERE version = ?",
            [(whole.sub(GONE, what), version) for version, what in told],
        )
    connection.execute(f"UPDATE changes SET before = NULL, id = ? WHERE {gone}", (GONE,))
    return len({row for row, _ in found})


def _size(memory: Collection) -> int:
    file, log, _ = files_of(memory.path)
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _forget_files(memory: Collection, connection: sqlite3.Connection) -> None:
    """Names of files that have gone from folders that are followed."""
    kept = "SELECT path FROM rows WHERE path IS NOT NULL"
    lost = connection.execute(f"SELECT path FROM files WHERE path NOT IN ({kept})").fetchall()
    for (path,) in lost:
        if not (memory.folder / path).exists():
            connection.execute("DELETE FROM files WHERE path = ?", (path,))
