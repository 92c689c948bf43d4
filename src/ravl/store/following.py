"""What a live view reads of the memory's file: all of it once, and then what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.store.blocks import SIZE, Blocks, Ints
from ravl.store.spaces import STORED, position, table_name
from ravl.store.vectors import chunks


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the memory that a view may be of.

    Args:
        space: of the encoder.
        change: the newest change of a row.
        grouped: the change up to which pictures were compared with each other; near-duplicates are
            noted after the rows, and are no change of their own.
    """

    space: int
    change: int
    grouped: int

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Moment:
        """The state that a connection sees."""
        space, _, change = position(connection)
        found = connection.execute("SELECT value FROM notes WHERE key = 'twins checked'").fetchone()
        return cls(space, change, int(found[0]) if found else 0)


def changed_rows(connection: sqlite3.Connection, since: int) -> Ints:
    """Numbers of the rows that were touched after a change, ascending."""
    found = connection.execute(
        "SELECT DISTINCT row FROM changes WHERE change > ? ORDER BY row", (since,)
    )
    return np.array([row for (row,) in found], np.int64)


def near_duplicates(connection: sqlite3.Connection) -> dict[int, int]:
    """The first row of its group, by the number of each row that has near-duplicates."""
    return dict(connection.execute("SELECT row, twin FROM rows WHERE twin IS NOT NULL"))


def all_features(connection: sqlite3.Connection, space: int) -> tuple[Ints, Blocks]:
    """Row numbers (n,), ascending, and features (n, F) as they are stored, float16."""
    table = table_name("features", space)
    cursor = connection.execute(f"SELECT key, vector FROM {table} ORDER BY key")
    keys: list[int] = []
    parts = []
    for chunk in chunks(cursor, SIZE):
        keys += [key for key, _ in chunk]
        flat = np.frombuffer(b"".join(blob for _, blob in chunk), STORED)
        parts.append(flat.reshape(len(chunk), -1))
    return np.array(keys, np.int64), Blocks(parts or [np.zeros((0, 0), STORED)])


def features_of(
    connection: sqlite3.Connection, space: int, rows: Iterable[int]
) -> dict[int, NDArray[np.floating]]:
    """Features (F,) as they are stored, by row; rows without any are left out."""
    sql = f"SELECT vector FROM {table_name('features', space)} WHERE key = ?"
    found = ((row, connection.execute(sql, (row,)).fetchone()) for row in rows)
    return {row: np.frombuffer(blob[0], STORED) for row, blob in found if blob}
