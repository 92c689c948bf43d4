"""The table ``bin``: rows that were taken out, with their vectors.

A row in the trash is in no search and no vote. Restored, it needs no network.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ravl.encoders.base import Array
from ravl.store.history import now
from ravl.store.records import TrashedRow
from ravl.store.row import Computed, Row
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.records import COLUMNS, dumps, from_record
from ravl.store.sqlite.rows import RowTable
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import VectorTables, packed, unpacked


class TrashTable:
    """The trash of a memory; see :class:`ravl.store.contract.Trash`.

    Args:
        database: the file.
        folder: that paths below it are kept relative to.
        rows, vectors: of the same file.
    """

    def __init__(
        self, database: Database, folder: Path, rows: RowTable, vectors: VectorTables
    ) -> None:
        self._database = database
        self._folder = folder
        self._rows = rows
        self._vectors = vectors

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def move(self, version: int, row: Row) -> None:
        """Take a row out of the memory, into the trash."""
        self._database.add_sync_tables()
        number, connection = row.number, self._connection
        vector = self._vectors.read("vectors", [number]).get(number)
        feature = self._vectors.read("features", [number]).get(number)
        texts = self._vectors.read_texts(number)
        record = connection.execute(f"SELECT {COLUMNS} FROM rows WHERE row = ?", (number,))
        connection.execute(
            "INSERT OR REPLACE INTO bin VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                now(),
                dumps(list(record.fetchone())),
                current_number(connection),
                packed(vector) if vector is not None else None,
                packed(feature) if feature is not None else None,
                packed(texts) if len(texts) else None,
                self._rows.picture(number),
            ),
        )
        self._rows.delete(version, row)

    def entries(self) -> list[TrashedRow]:
        """All of it, the newest first."""
        if not self._database.has_table("bin"):
            return []
        found = self._connection.execute("SELECT record, at FROM bin ORDER BY at DESC, row")
        return [
            TrashedRow(from_record(tuple(json.loads(record)), self._folder), at)
            for record, at in found
        ]

    def restore(
        self, version: int, row: Row, new: Row, embed: Callable[[Sequence[str]], Array]
    ) -> None:
        """Bring a row back, perhaps under another id and path."""
        found = self._connection.execute(
            "SELECT space, vector, feature, text_vectors, picture FROM bin WHERE row = ?",
            (row.number,),
        ).fetchone()
        space, vector, feature, texts, picture = found
        if space == current_number(self._connection):
            computed = Computed(
                vector=unpacked(vector) if vector else None,
                feature=unpacked(feature) if feature else None,
                text_vectors=unpacked(texts).reshape(len(row.texts), -1) if texts else None,
                picture=picture,
            )
        else:
            vectors = embed(new.texts) if new.texts else None
            computed = Computed(text_vectors=vectors, picture=picture)
        self._rows.put(version, replace(new, duplicate_of=None), computed)
        self._connection.execute("DELETE FROM bin WHERE row = ?", (row.number,))

    def empty(self, numbers: Iterable[int] | None = None) -> int:
        """Forget rows, by number, or all; returns how many."""
        if not self._database.has_table("bin"):
            return 0
        if numbers is None:
            return self._connection.execute("DELETE FROM bin").rowcount
        sql = "DELETE FROM bin WHERE row IN (SELECT value FROM json_each(?))"
        return self._connection.execute(sql, (json.dumps(list(numbers)),)).rowcount
