"""The tables of versions and of the changes that each made."""

from __future__ import annotations

import re
import sqlite3

from ravl.errors import MemoryFileError
from ravl.json_types import JsonObject
from ravl.store.history import Version, author, now
from ravl.store.row import Row, user_fields
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.records import dumps
from ravl.untrusted import ADVICE, MOST_IN_CELL, damage_of, parse_json

FORGOTTEN = "(forgotten)"  # in place of the ids of rows that were forgotten


def newest_change(connection: sqlite3.Connection) -> int:
    """Number of the last change made to any row; 0 in an empty memory."""
    return int(connection.execute("SELECT coalesce(max(change), 0) FROM changes").fetchone()[0])


def changed_since(connection: sqlite3.Connection, change: int) -> list[int]:
    """Numbers of the rows that later changes touched, ascending; some may be gone."""
    sql = "SELECT DISTINCT row FROM changes WHERE change > ? ORDER BY row"
    return [row for (row,) in connection.execute(sql, (change,))]


class HistoryTables:
    """The history of a memory; see :class:`ravl.store.contract.History`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def begin(self, what: str) -> int:
        """Open a numbered version: who does what, and when. Changes then refer to it."""
        return int(
            self._connection.execute(
                "INSERT INTO versions (at, who, what) VALUES (?, ?, ?) RETURNING version",
                (now(), author(), what),
            ).fetchone()[0]
        )

    def amend(self, version: int, what: str) -> None:
        """Say otherwise what a version did."""
        self._connection.execute("UPDATE versions SET what = ? WHERE version = ?", (what, version))

    def record(self, version: int, number: int, id: str, action: str, before: Row | None) -> None:
        """Keep what became of a row.

        Args:
            version: that it belongs to.
            number: of the row.
            id: that it has now.
            action: ``"add"``, ``"update"`` or ``"delete"``.
            before: the row as it was, None for an addition.
        """
        self._connection.execute(
            "INSERT INTO changes (version, row, id, action, before) VALUES (?, ?, ?, ?, ?)",
            (version, number, id, action, dumps(before.to_json()) if before else None),
        )

    def newest(self) -> int:
        """Number of the newest version; 0 before the first."""
        found = self._connection.execute("SELECT coalesce(max(version), 0) FROM versions")
        return int(found.fetchone()[0])

    def newest_change(self) -> int:
        """Number of the newest change of any row; 0 before the first."""
        return newest_change(self._connection)

    def changed_since(self, change: int) -> list[int]:
        """Numbers of the rows that later changes touched, ascending; some may be gone."""
        return changed_since(self._connection, change)

    def versions(self, id: str | None, limit: int) -> list[Version]:
        """The newest versions first, all or those that touched one row."""
        where = "" if id is None else "WHERE version IN (SELECT version FROM changes WHERE id = ?)"
        counts = ", ".join(
            f"(SELECT count(*) FROM changes c WHERE c.version = v.version AND action = '{action}')"
            for action in ("add", "update", "delete")
        )
        found = self._connection.execute(
            f"SELECT version, at, who, what, {counts} FROM versions v {where} "
            "ORDER BY version DESC LIMIT ?",
            [limit] if id is None else [id, limit],
        )
        return [Version(*record) for record in found]

    def states(self, version: int) -> dict[int, JsonObject | None]:
        """Rows that were changed since a version, by number, as they were then."""
        found = self._connection.execute(
            """SELECT row, before FROM changes WHERE change IN
                 (SELECT min(change) FROM changes WHERE version > ? GROUP BY row) ORDER BY row""",
            (version,),
        )
        return {row: self._state(row, before) if before else None for row, before in found}

    def _state(self, row: int, before: str) -> JsonObject:
        """A row as it was; what is read is checked here, once for all who use it."""
        what = f"The history of row {row} of {self._database.path}"
        with damage_of(what, ADVICE, MemoryFileError):
            state: JsonObject = parse_json(before, MOST_IN_CELL)
            user_fields(state)
            return state

    def forget_deleted(self) -> int:
        """Take out what is known of rows that are neither there nor in the trash; how many."""
        connection = self._connection
        there = "SELECT row FROM rows"
        if self._database.has_table("bin"):
            there += " UNION SELECT row FROM bin"
        gone = f"row NOT IN ({there})"
        found = connection.execute(
            f"SELECT DISTINCT row, id FROM changes WHERE {gone} AND id != ?", (FORGOTTEN,)
        ).fetchall()
        for row, id in found:
            described = connection.execute(
                "SELECT version, what FROM versions WHERE version IN "
                "(SELECT version FROM changes WHERE row = ?)",
                (row,),
            ).fetchall()
            whole = re.compile(rf"(?<!\S){re.escape(id)}(?!\S)")  # an id may be a part of a word
            for version, what in described:
                self.amend(version, whole.sub(FORGOTTEN, what))
        connection.execute(f"UPDATE changes SET before = NULL, id = ? WHERE {gone}", (FORGOTTEN,))
        return len({row for row, _ in found})
