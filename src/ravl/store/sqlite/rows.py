"""The table of rows, and that of copied pictures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ravl.data.text import nfc, spellings
from ravl.errors import MemoryFileError, RowExistsError, RowNotFoundError
from ravl.store.history import now
from ravl.store.records import PictureHashes
from ravl.store.row import NOTHING_COMPUTED, Computed, Row, check_computed
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.filters import compile_filter
from ravl.store.sqlite.history import HistoryTables
from ravl.store.sqlite.picture_lookup import HASHES, make_indices, of_rows, similar, spread
from ravl.store.sqlite.records import COLUMNS, from_record, stored_path, to_record
from ravl.store.sqlite.spaces import space_numbers
from ravl.store.sqlite.vectors import VectorTables
from ravl.store.sqlite.words import WordIndex
from ravl.store.top_k import Positions
from ravl.untrusted import ADVICE

PAGE = 1000  # rows that are read together


class RowTable:
    """The rows of a memory; see :class:`ravl.store.contract.Rows`.

    Args:
        database: the file.
        folder: that paths below it are kept relative to.
        vectors, words, history: of the same file; they follow what is written here.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        vectors: VectorTables,
        words: WordIndex,
        history: HistoryTables,
    ) -> None:
        self._database = database
        self._folder = folder
        self._vectors = vectors
        self._words = words
        self._history = history

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def find(self, ids: Iterable[str]) -> dict[str, Row]:
        """Rows by their ids; unknown ids are left out."""
        asked = {id: id for id in ids}
        for id in [*asked]:
            for other in spellings(id):
                asked.setdefault(other, id)
        records = self._connection.execute(
            f"SELECT {COLUMNS} FROM rows WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(asked)),),
        )
        found: dict[str, Row] = {}
        for row in (from_record(record, self._folder) for record in records):
            id = asked[row.id]
            if id == row.id or id not in found:
                found[id] = row
        return found

    def get(self, numbers: Iterable[int]) -> dict[int, Row]:
        """Rows by their numbers; unknown numbers are left out."""
        records = self._connection.execute(
            f"SELECT {COLUMNS} FROM rows WHERE row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return {row.number: row for row in (from_record(r, self._folder) for r in records)}

    def iterate(self, where: str | None = None, after: int = 0) -> Iterator[Row]:
        """All rows, or those that a filter lets through, in the order of their numbers."""
        sql, values = self._compile(where)
        return self._pages(sql, values, after)

    def with_file(self) -> Iterator[Row]:
        """Rows that have a path, in the order of their numbers."""
        return self._pages("path IS NOT NULL", (), 0)

    def count(self, where: str | None = None) -> int:
        """How many rows there are, or a filter lets through."""
        sql, values = self._compile(where)
        found = self._connection.execute(f"SELECT count(*) FROM rows WHERE {sql}", values)
        return int(found.fetchone()[0])

    def matching(self, where: str) -> Positions:
        """Numbers of the rows that a filter lets through, ascending."""
        sql, values = self._compile(where)
        found = self._connection.execute(f"SELECT row FROM rows WHERE {sql} ORDER BY row", values)
        return np.array([row for (row,) in found], np.int64)

    def put(self, version: int, row: Row, computed: Computed = NOTHING_COMPUTED) -> int:
        """Add a row (number 0), or write it in place of the one with its number."""
        old = self._there(row) if row.number else None
        if old is None:
            self._check_free(row.id)
        check_computed(old, row, computed)
        stamp = now()
        fields = to_record(row, self._folder)
        fields |= {"added": old.added if old else stamp, "changed": stamp}
        if old is None:
            names, marks = ", ".join(fields), ", ".join("?" * len(fields))
            sql = f"INSERT INTO rows ({names}) VALUES ({marks}) RETURNING row"
            number = int(self._connection.execute(sql, list(fields.values())).fetchone()[0])
        else:
            number = old.number
            changes = ", ".join(f"{name} = ?" for name in fields)
            sql = f"UPDATE rows SET {changes} WHERE row = ?"
            self._connection.execute(sql, [*fields.values(), number])
        self._write_computed(number, computed)
        self._connection.executemany(
            "INSERT OR IGNORE INTO column_names VALUES (?)", [(nfc(name),) for name in row.columns]
        )
        self._words.put(from_record((number, *fields.values()), self._folder))
        self._history.record(version, number, row.id, "update" if old else "add", old)
        return number

    def rename(self, version: int, renames: Sequence[tuple[Row, Row]]) -> None:
        """Give rows other ids and paths, all at once; all that was computed of them stays."""
        execute = self._connection.execute
        there = [self._there(old) for old, _ in renames]
        for old in there:  # out of the way of a row that gets this id; no id holds a NUL
            execute("UPDATE rows SET id = ? WHERE row = ?", (f"\0{old.number}", old.number))
        for old, (_, new) in zip(there, renames, strict=True):
            self._check_free(new.id)
            execute(
                "UPDATE rows SET id = ?, path = ?, changed = ? WHERE row = ?",
                (new.id, stored_path(new.path, self._folder), now(), old.number),
            )
            self._words.put(self.get([old.number])[old.number])
            self._history.record(version, old.number, new.id, "update", old)

    def delete(self, version: int, row: Row) -> None:
        """Remove a row and all that was computed of it; history keeps what users had put in."""
        old = self._there(row)
        connection = self._connection
        for space in space_numbers(connection):
            self._vectors.delete(old.number, space)
        self._words.delete(old.number)
        connection.execute("DELETE FROM rows WHERE row = ?", (old.number,))
        heir = connection.execute("SELECT min(row) FROM rows WHERE twin = ?", (old.number,))
        connection.execute(
            "UPDATE rows SET twin = ? WHERE twin = ?", (heir.fetchone()[0], old.number)
        )
        self._history.record(version, old.number, old.id, "delete", old)

    def _check_free(self, id: str) -> None:
        if self.find([id]):
            raise RowExistsError(f"There is a row {id!r} already. Change it, or choose another id.")

    def _there(self, row: Row) -> Row:
        """A row as it is at this moment; another writer may have removed or renamed it."""
        now_ = self.get([row.number]).get(row.number)
        if now_ is None or now_.id != row.id:
            raise RowNotFoundError(
                f"The row {row.id!r} is not there any more: it was deleted or renamed since it "
                "was read. Nothing was changed."
            )
        return now_

    def forget_column_names(self) -> None:
        """Keep the names of those user columns only that a row has."""
        self._connection.execute(
            "DELETE FROM column_names WHERE name NOT IN "
            "(SELECT key FROM rows, json_each(rows.columns))"
        )

    def column_names(self) -> frozenset[str]:
        """Names of all columns of the user's own."""
        found = self._connection.execute("SELECT name FROM column_names")
        return frozenset(name for (name,) in found if isinstance(name, str))

    def hashes(self) -> list[PictureHashes]:
        """Of all rows with a picture, in the order of their numbers."""
        found = self._connection.execute(
            f"SELECT {HASHES} FROM rows WHERE hash IS NOT NULL ORDER BY row"
        )
        return list(map(PictureHashes._make, found))

    def perceptual_hashes(self) -> tuple[Positions, Positions]:
        """Numbers of the rows that have a perceptual hash (n,), ascending, and the hashes (n,)."""
        sql = "SELECT row, CAST(phash AS INTEGER) FROM rows WHERE phash IS NOT NULL ORDER BY row"
        found = np.array(self._connection.execute(sql).fetchall(), np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def pictures(
        self,
        *,
        rows: Iterable[int] = (),
        groups: Iterable[int] = (),
        hashes: Iterable[str] = (),
    ) -> list[PictureHashes]:
        """Pictures by their rows, by ``duplicate_of``, or by the hash of the file."""
        asked = {"row": rows, "twin": groups, "hash": hashes}
        parts = (of_rows(self._connection, name, values) for name, values in asked.items())
        return sorted({each.row: each for part in parts for each in part}.values())

    def similar_pictures(self, phash: int, most: int) -> list[PictureHashes] | None:
        """Pictures whose perceptual hash differs in at most so many bits, at most 7, by row.

        Returns:
            None in a memory that has no index for it, since it has few rows; needs a transaction,
            in which the index may be made.
        """
        if not make_indices(self._connection):
            return None
        return similar(self._connection, phash, most)

    def sample_of_pictures(self, count: int) -> list[int]:
        """Numbers of some rows with a perceptual hash, spread over all row numbers."""
        return spread(self._connection, count)

    def duplicates(self) -> dict[int, int]:
        """``duplicate_of`` of all rows that have near-duplicates, by their numbers."""
        return dict(
            self._connection.execute(
                "SELECT row, CAST(twin AS INTEGER) FROM rows WHERE twin IS NOT NULL"
            )
        )

    def group(self, groups: Mapping[int, int]) -> None:
        """Set ``duplicate_of`` of rows, by their numbers."""
        self._connection.executemany(
            "UPDATE rows SET twin = ? WHERE row = ?", [(g, row) for row, g in groups.items()]
        )

    def picture(self, number: int) -> bytes | None:
        """The copy of a row's picture; None where it is kept by its path."""
        sql = "SELECT bytes FROM pictures WHERE row = ?"
        found = self._connection.execute(sql, (number,)).fetchone()
        if found is not None and not isinstance(found[0], bytes):
            raise MemoryFileError(
                f"{self._database.path} is damaged: a picture in it is not bytes. {ADVICE}"
            )
        return found[0] if found else None

    def copied(self, numbers: Iterable[int]) -> set[int]:
        """Those of the rows whose picture is kept as a copy."""
        found = self._connection.execute(
            "SELECT row FROM pictures WHERE row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return {row for (row,) in found}

    def count_copies(self) -> int:
        """How many pictures are kept as copies."""
        found = self._connection.execute("SELECT count(*) FROM pictures")
        return int(found.fetchone()[0])

    def copy_in(self, number: int, picture: bytes) -> None:
        """Keep a copy of a row's picture instead of its path."""
        self._connection.execute("INSERT INTO pictures VALUES (?, ?)", (number, picture))
        self._connection.execute("UPDATE rows SET path = NULL WHERE row = ?", (number,))

    def _compile(self, where: str | None) -> tuple[str, Sequence[object]]:
        if where is None:
            return "1", ()
        return compile_filter(where, self.column_names(), self._folder)

    def _pages(self, where: str, values: Sequence[object], after: int) -> Iterator[Row]:
        """Paging lets others write in between, and never holds more than a page in memory."""
        connection, last = self._connection, after
        while True:
            records = connection.execute(
                f"SELECT {COLUMNS} FROM rows WHERE row > ? AND ({where}) ORDER BY row LIMIT ?",
                (last, *values, PAGE),
            ).fetchall()
            yield from (from_record(r, self._folder) for r in records)
            if len(records) < PAGE:
                return
            last = records[-1][0]

    def _write_computed(self, number: int, computed: Computed) -> None:
        if computed.vector is not None:
            self._vectors.write("vectors", number, computed.vector)
        if computed.feature is not None:
            self._vectors.write("features", number, computed.feature)
        if computed.text_vectors is not None:
            self._vectors.write_texts(number, computed.text_vectors)
        if computed.picture is not None:
            self._connection.execute(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?)", (number, computed.picture)
            )
