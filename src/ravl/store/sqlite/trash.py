"""The tables ``bin`` and ``deleted``: rows that were taken out, with all that they had.

A row in them is in no search and no vote. Brought back, it needs no network. ``bin`` is the trash
that users see and empty; ``deleted`` is for :meth:`ravl.memory.Memory.revert`, until the memory is
compacted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ravl.errors import MemoryFileError, RowNotFoundError
from ravl.store.history import now
from ravl.store.records import TrashedRow
from ravl.store.row import Computed, Row
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.records import COLUMNS, dumps, from_record
from ravl.store.sqlite.rows import RowTable
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import VectorTables
from ravl.untrusted import ADVICE, MOST_IN_CELL, damage_of, parse_json


class TrashTable:
    """Rows that were taken out of a memory; see :class:`ravl.store.contract.Trash`.

    Args:
        name: of the table.
        database: the file.
        folder: that paths below it are kept relative to.
        rows, vectors: of the same file.
    """

    def __init__(
        self,
        name: Literal["bin", "deleted"],
        database: Database,
        folder: Path,
        rows: RowTable,
        vectors: VectorTables,
    ) -> None:
        self._name = name
        self._database = database
        self._folder = folder
        self._rows = rows
        self._vectors = vectors

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def move(self, version: int, row: Row) -> None:
        """Take a row out of the memory, with all that it has."""
        self._database.add_sync_tables()
        number, connection = row.number, self._connection
        vector, feature, texts = (
            b"".join(self._vectors.stored(kind, number)) or None
            for kind in ("vectors", "features", "text_vectors")
        )
        picture = self._rows.picture(number)
        found = connection.execute(f"SELECT {COLUMNS} FROM rows WHERE row = ?", (number,))
        record = found.fetchone()
        self._rows.delete(version, row)  # first: it refuses a row that is not there any more
        connection.execute(
            f"INSERT OR REPLACE INTO {self._name} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                now(),
                dumps(list(record)),
                current_number(connection),
                vector,
                feature,
                texts,
                picture,
            ),
        )

    def entries(self) -> list[TrashedRow]:
        """All of it, the newest first."""
        if not self._database.has_table(self._name):
            return []
        # By the history, not by the clock, which may have gone back.
        found = self._connection.execute(
            f"""SELECT record, at FROM {self._name} LEFT JOIN
                (SELECT row, max(change) AS change FROM changes GROUP BY row) USING (row)
                ORDER BY change DESC, row DESC"""
        )
        return [TrashedRow(self._row(record), str(at)) for record, at in found]

    def computed(self, row: Row) -> Computed:
        """What a row had; the vectors only where the current space's encoder made them."""
        space, vector, feature, texts, picture = self._find(
            row, "space, vector, feature, text_vectors, picture"
        )
        if space != current_number(self._connection):
            return Computed(picture=picture)
        read = self._vectors.restored
        return Computed(
            vector=read("vectors", vector)[0] if vector else None,
            feature=read("features", feature)[0] if feature else None,
            text_vectors=read("text_vectors", texts) if texts else None,
            picture=picture,
        )

    def restore(self, version: int, row: Row, new: Row, computed: Computed) -> None:
        """Bring a row back, perhaps under another id and path."""
        self._find(row, "row")
        self._rows.put(version, replace(new, number=0, duplicate_of=None), computed)
        self._connection.execute(f"DELETE FROM {self._name} WHERE row = ?", (row.number,))

    def empty(self, numbers: Iterable[int] | None = None) -> int:
        """Forget rows, by number, or all; returns how many."""
        if not self._database.has_table(self._name):
            return 0
        if numbers is None:
            return self._connection.execute(f"DELETE FROM {self._name}").rowcount
        sql = f"DELETE FROM {self._name} WHERE row IN (SELECT value FROM json_each(?))"
        return self._connection.execute(sql, (json.dumps(list(numbers)),)).rowcount

    def _row(self, record: str) -> Row:
        with damage_of(f"The trash of {self._database.path}", ADVICE, MemoryFileError):
            return from_record(tuple(parse_json(record, MOST_IN_CELL)), self._folder)

    def _find(self, row: Row, columns: str) -> tuple[Any, ...]:
        found = None
        if self._database.has_table(self._name):
            sql = f"SELECT {columns} FROM {self._name} WHERE row = ?"
            found = self._connection.execute(sql, (row.number,)).fetchone()
        if found is None:
            raise RowNotFoundError(
                f"The row {row.id!r} is not in the trash any more: it was restored or forgotten "
                "since. Nothing was changed."
            )
        return tuple(found)
