"""History: numbered versions of a memory, and what each changed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Version:
    """One thing that somebody did.

    Args:
        number: counts up by one.
        at: when it began, UTC, ISO 8601.
        who: the operating system's user, or of what came over HTTP the name of the key.
        what: for example "index photos/" or "update shirt-17".
        added, updated, deleted: rows.
    """

    number: int
    at: str
    who: str
    what: str
    added: int
    updated: int
    deleted: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def newest(connection: sqlite3.Connection) -> int:
    """The number of the newest version; 0 before the first."""
    found = connection.execute("SELECT coalesce(max(version), 0) FROM versions").fetchone()
    return int(found[0])


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a row between two versions.

    Args:
        id: of the row, as it was last.
        before, after: what users had put in, as JSON; None where it was not there.
    """

    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def fields(self) -> list[str]:
        """Names of what differs; of a row that was there all the time."""
        before, after = self.before or {}, self.after or {}
        return [name for name in {**before, **after} if before.get(name) != after.get(name)]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def states(connection: sqlite3.Connection, version: int) -> dict[int, dict[str, Any] | None]:
    """Rows that were changed since a version, by number, as they were then: None for not there."""
    found = connection.execute(
        """SELECT row, before FROM changes WHERE change IN
             (SELECT min(change) FROM changes WHERE version > ? GROUP BY row) ORDER BY row""",
        (version,),
    )
    return {row: json.loads(before) if before else None for row, before in found}


def versions(connection: sqlite3.Connection, id: str | None, limit: int) -> list[Version]:
    """The newest versions first, all or those that touched one row."""
    where = "" if id is None else "WHERE version IN (SELECT version FROM changes WHERE id = ?)"
    found = connection.execute(
        f"""SELECT version, at, who, what,
              (SELECT count(*) FROM changes c WHERE c.version = v.version AND action = 'add'),
              (SELECT count(*) FROM changes c WHERE c.version = v.version AND action = 'update'),
              (SELECT count(*) FROM changes c WHERE c.version = v.version AND action = 'delete')
            FROM versions v {where} ORDER BY version DESC LIMIT ?""",
        [limit] if id is None else [id, limit],
    )
    return [Version(*record) for record in found]
