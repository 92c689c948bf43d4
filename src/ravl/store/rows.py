"""Reading and writing rows inside a transaction, with their history."""

from __future__ import annotations

import getpass
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ravl.data import Rejected
from ravl.encoders.base import Array
from ravl.store import keywords
from ravl.store.row import COLUMNS, Row, dumps, from_record, qa_to_json
from ravl.store.spaces import delete_vectors, table_name, write_text_vectors, write_vector

Connection = sqlite3.Connection
# The name that the history gets for what is done in this context, as by a server for its clients.
FOR_WHOM: ContextVar[str] = ContextVar("for whom", default="")


@dataclass(frozen=True, slots=True)
class Computed:
    """What the encoder made of a row; None where the row's old one still holds.

    Args:
        vector: (d,) of the picture.
        feature: (F,) of the picture.
        text_vectors: (t, d) of its texts.
        picture: the encoded picture, where it is to be copied in.
    """

    vector: Array | None = None
    feature: NDArray[Any] | None = None
    text_vectors: Array | None = None
    picture: bytes | None = None


def now() -> str:
    """The time, UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_version(connection: Connection, what: str) -> int:
    """Open a numbered version: who does what, and when. Changes then refer to it."""
    return int(
        connection.execute(
            "INSERT INTO versions (at, who, what) VALUES (?, ?, ?) RETURNING version",
            (now(), who(), what),
        ).fetchone()[0]
    )


def put_row(
    connection: Connection, version: int, space: int, folder: Path, row: Row, computed: Computed
) -> int:
    """Add a row (number 0) or write it in place of its old self; return its number."""
    old = find_rows(connection, [row.id], folder).get(row.id)
    stamp = now()
    fields = {
        "id": row.id,
        "path": stored_path(row.path, folder),
        "hash": row.hash,
        "width": row.width,
        "height": row.height,
        "phash": row.phash,
        "twin": row.twin,
        "label": row.label,
        "texts": dumps(list(row.texts)),
        "tags": dumps(list(row.tags)),
        "qa": qa_to_json(row.qa),
        "columns": dumps(dict(row.columns)),
        "source": row.source,
        "added": old.added if old else stamp,
        "changed": stamp,
    }
    names = ", ".join(fields)
    # An upsert keeps the row's number, so that what refers to it stays true.
    changes = ", ".join(f"{name} = excluded.{name}" for name in fields)
    marks = ", ".join("?" * len(fields))
    number = int(
        connection.execute(
            f"INSERT INTO rows ({names}) VALUES ({marks}) "
            f"ON CONFLICT (id) DO UPDATE SET {changes} RETURNING row",
            list(fields.values()),
        ).fetchone()[0]
    )
    _write_computed(connection, space, number, computed)
    connection.executemany(
        "INSERT OR IGNORE INTO column_names VALUES (?)", [(name,) for name in row.columns]
    )
    keywords.index_row(connection, from_record((number, *fields.values()), folder))
    _record(connection, version, number, row.id, "update" if old else "add", old)
    return number


def rename_row(connection: Connection, version: int, folder: Path, old: Row, new: Row) -> None:
    """Give a row another id and path; all that was computed from it stays."""
    connection.execute(
        "UPDATE rows SET id = ?, path = ?, changed = ? WHERE row = ?",
        (new.id, stored_path(new.path, folder), now(), old.number),
    )
    found = get_rows(connection, [old.number], folder)[old.number]
    keywords.index_row(connection, found)
    _record(connection, version, old.number, new.id, "update", old)


def delete_row(connection: Connection, version: int, row: Row) -> None:
    """Remove a row and all that was computed from it; history keeps what users had put in."""
    for (space,) in connection.execute("SELECT space FROM spaces").fetchall():
        delete_vectors(connection, space, row.number)
    connection.execute("DELETE FROM keywords WHERE rowid = ?", (row.number,))
    connection.execute("DELETE FROM rows WHERE row = ?", (row.number,))
    heir = connection.execute("SELECT min(row) FROM rows WHERE twin = ?", (row.number,)).fetchone()
    connection.execute("UPDATE rows SET twin = ? WHERE twin = ?", (heir[0], row.number))
    _record(connection, version, row.number, row.id, "delete", row)


def find_rows(connection: Connection, ids: Iterable[str], folder: Path) -> dict[str, Row]:
    """Rows by their ids; unknown ids are left out."""
    records = connection.execute(
        f"SELECT {COLUMNS} FROM rows WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return {row.id: row for row in (from_record(r, folder) for r in records)}


def get_rows(connection: Connection, numbers: Iterable[int], folder: Path) -> dict[int, Row]:
    """Rows by their numbers; unknown numbers are left out."""
    records = connection.execute(
        f"SELECT {COLUMNS} FROM rows WHERE row IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )
    return {row.number: row for row in (from_record(r, folder) for r in records)}


def iterate_rows(
    connection: Connection,
    folder: Path,
    where: str = "1",
    values: Sequence[Any] = (),
    page: int = 1000,
    after: int = 0,
) -> Iterator[Row]:
    """All rows that a compiled filter lets through, in order, a page at a time.

    Paging lets others write in between, and never holds more than a page in memory.
    """
    last = after
    while True:
        records = connection.execute(
            f"SELECT {COLUMNS} FROM rows WHERE row > ? AND ({where}) ORDER BY row LIMIT ?",
            (last, *values, page),
        ).fetchall()
        yield from (from_record(r, folder) for r in records)
        if len(records) < page:
            return
        last = records[-1][0]


def copied_rows(connection: Connection, numbers: Iterable[int]) -> set[int]:
    """Those of the rows whose picture is kept in the memory."""
    found = connection.execute(
        "SELECT row FROM pictures WHERE row IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )
    return {row for (row,) in found}


def seen_rows(connection: Connection, space: int, numbers: Iterable[int]) -> set[int]:
    """Those of the rows whose picture has a vector in that space."""
    found = connection.execute(
        f"SELECT key FROM {table_name('vectors', space)} "
        "WHERE key IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )
    return {row for (row,) in found}


def put_quarantine(connection: Connection, source: str, rejected: Iterable[Rejected]) -> None:
    """Remember what was set aside and why."""
    connection.executemany(
        "INSERT OR REPLACE INTO quarantine (place, source, reason, at) VALUES (?, ?, ?, ?)",
        [(r.place, source, r.reason, now()) for r in rejected],
    )


def column_names(connection: Connection) -> frozenset[str]:
    """Names of all user columns."""
    return frozenset(n for (n,) in connection.execute("SELECT name FROM column_names"))


def _write_computed(connection: Connection, space: int, number: int, computed: Computed) -> None:
    if computed.vector is not None:
        write_vector(connection, "vectors", space, number, computed.vector)
    if computed.feature is not None:
        write_vector(connection, "features", space, number, computed.feature)
    if computed.text_vectors is not None:
        write_text_vectors(connection, space, number, computed.text_vectors)
    if computed.picture is not None:
        connection.execute(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?)", (number, computed.picture)
        )


def _record(
    connection: Connection, version: int, number: int, id_: str, action: str, before: Row | None
) -> None:
    connection.execute(
        "INSERT INTO changes (version, row, id, action, before) VALUES (?, ?, ?, ?, ?)",
        (version, number, id_, action, dumps(before.to_json()) if before else None),
    )


def stored_path(path: Path | None, folder: Path) -> str | None:
    """Relative to the memory where possible, so that both can be moved together."""
    if path is None:
        return None
    full = path if path.is_absolute() else Path.cwd() / path
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def who() -> str:
    """Who changes something: the one for whom it is done, or the operating system's user."""
    if name := FOR_WHOM.get():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"
