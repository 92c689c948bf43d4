"""The tables ``quarantine``, ``notes`` and ``hubs``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ravl.data import Rejected
from ravl.store.history import after, now
from ravl.store.records import KeptHubs
from ravl.store.space import Kind
from ravl.store.sqlite.database import Database


class QuarantineTable:
    """The quarantine of a memory; see :class:`ravl.store.contract.Quarantine`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def moment(self, source: str) -> str:
        """A time after all that is kept for a source."""
        sql = "SELECT max(at) FROM quarantine WHERE source = ?"
        newest = self._connection.execute(sql, (source,)).fetchone()[0]
        return max(now(), after(newest)) if newest else now()

    def put(self, source: str, rejected: Iterable[Rejected], since: str = "") -> None:
        """Keep what was set aside while a source was read."""
        at = max(now(), since)
        self._connection.executemany(
            "INSERT OR REPLACE INTO quarantine (place, source, reason, at) VALUES (?, ?, ?, ?)",
            [(each.place, source, each.reason, at) for each in rejected],
        )

    def entries(self, source: str | None = None) -> list[Rejected]:
        """All of it, or that of one source; the oldest first."""
        where, values = ("", ()) if source is None else ("WHERE source = ?", (source,))
        sql = f"SELECT place, reason FROM quarantine {where} ORDER BY at"
        return [Rejected(*record) for record in self._connection.execute(sql, values)]

    def release(self, place: str) -> None:
        """A place can be read again."""
        self._connection.execute("DELETE FROM quarantine WHERE place = ?", (place,))

    def clear(self, source: str, before: str) -> None:
        """Forget what was set aside for a source before that moment."""
        self._connection.execute(
            "DELETE FROM quarantine WHERE source = ? AND at < ?", (source, before)
        )


class NoteTables:
    """The notes of a memory; see :class:`ravl.store.contract.Notes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def get(self, name: str) -> str | None:
        """The note of that name."""
        found = self._connection.execute("SELECT value FROM notes WHERE key = ?", (name,))
        record = found.fetchone()
        return str(record[0]) if record else None

    def set(self, name: str, value: str) -> None:
        """Keep a note in place of the one of that name."""
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def hubs(self, kind: Kind) -> KeptHubs | None:
        """The hubs of that kind of vectors that were kept last."""
        sql = "SELECT moment, bank, keys, hubs FROM hubs WHERE kind = ?"
        found = self._connection.execute(sql, (kind,)).fetchone()
        return KeptHubs(*found) if found else None

    def keep_hubs(self, kind: Kind, hubs: KeptHubs) -> None:
        """Keep hubs in place of those of that kind."""
        self._connection.execute(
            "INSERT OR REPLACE INTO hubs VALUES (?, ?, ?, ?, ?)", (kind, *hubs)
        )
