"""Pictures found by their hashes, by indices that a memory gets once it has had many rows.

They are made within the first write that needs them, and SQLite keeps them up to date. In a small
memory reading all hashes is as fast.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from importlib.resources import files

from ravl.store.near_hashes import BANDS, FLIPS, WIDTH, bands
from ravl.store.records import PictureHashes

MANY = 20_000  # rows that a memory has had
HASHES = "row, CAST(id AS TEXT), CAST(hash AS TEXT), CAST(phash AS INTEGER), CAST(twin AS INTEGER)"


def has_indices(connection: sqlite3.Connection) -> bool:
    """Whether the indices are there."""
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'rows_by_hash'"
    return connection.execute(sql).fetchone() is not None


def make_indices(connection: sqlite3.Connection) -> bool:
    """Make the indices if there are many rows; needs a transaction. Whether they are there."""
    if has_indices(connection):
        return True
    if (connection.execute("SELECT max(row) FROM rows").fetchone()[0] or 0) < MANY:
        return False
    for statement in (files("ravl.store.sqlite") / "lookup.sql").read_text("utf-8").split(";\n"):
        connection.execute(statement)
    return True


def similar(connection: sqlite3.Connection, phash: int, most: int) -> list[PictureHashes]:
    """Pictures whose perceptual hash differs in at most so many bits, by row; needs the indices."""
    found: set[int] = set()
    marks = ", ".join("?" * len(FLIPS))
    for band, value in enumerate(bands(phash)):
        sql = (
            "SELECT row, phash FROM rows WHERE phash IS NOT NULL "
            f"AND (phash >> {WIDTH * band}) & {(1 << WIDTH) - 1} IN ({marks})"
        )
        for row, other in connection.execute(sql, [value ^ flip for flip in FLIPS]):
            if ((other ^ phash) & (1 << WIDTH * BANDS) - 1).bit_count() <= most:
                found.add(row)
    return of_rows(connection, "row", found)


def of_rows(
    connection: sqlite3.Connection, column: str, values: Iterable[object]
) -> list[PictureHashes]:
    """Pictures by a column: ``row``, ``twin`` or ``hash``; in the order of their rows."""
    found = connection.execute(
        f"SELECT {HASHES} FROM rows WHERE hash IS NOT NULL AND {column} IN "
        "(SELECT value FROM json_each(?)) ORDER BY row",
        (json.dumps(list(values)),),
    )
    return list(map(PictureHashes._make, found))


def spread(connection: sqlite3.Connection, count: int) -> list[int]:
    """Numbers of some rows with a perceptual hash, spread over all row numbers."""
    last = connection.execute("SELECT max(row) FROM rows").fetchone()[0] or 0
    sql = "SELECT row FROM rows WHERE row > ? AND phash IS NOT NULL ORDER BY row LIMIT 1"
    found = (connection.execute(sql, (i * last // count,)).fetchone() for i in range(count))
    return sorted({row for (row,) in filter(None, found)})
