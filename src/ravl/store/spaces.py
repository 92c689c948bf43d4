"""Spaces: what one encoder computed for every row, in tables of the memory's file.

There is one *current* space. Re-embedding builds another beside it while readers keep using the
old one, and then takes its place in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ravl.encoders import Encoder, Fingerprint, load_encoder
from ravl.encoders.base import Array
from ravl.errors import MemoryFileError

Kind = Literal["vectors", "text_vectors", "features"]
KINDS: tuple[Kind, ...] = ("vectors", "text_vectors", "features")

STORED = np.dtype("<f2")  # on disk; halves the file, and moves a cosine by less than 0.001
TEXT_BITS = 16  # a text's key is its row's number and its position among the row's texts
MOST_TEXTS = 1 << TEXT_BITS  # of one row


@dataclass(frozen=True, slots=True)
class Space:
    """One encoder's vectors.

    Args:
        number: names its tables.
        fingerprint: of the encoder.
        dimension: d of its vectors.
        since: for one being built, the newest change of the memory that it has seen.
    """

    number: int
    fingerprint: Fingerprint
    dimension: int
    since: int


def table_name(kind: Kind, space: int) -> str:
    """Name of the table with one space's vectors of this kind."""
    return f"{kind}_{int(space)}"


def find_space(connection: sqlite3.Connection, state: str = "current") -> Space | None:
    """The space in that state, None where there is none."""
    found = connection.execute(
        "SELECT space, fingerprint, dimension, since FROM spaces WHERE state = ?", (state,)
    ).fetchone()
    return found and Space(found[0], Fingerprint.from_json(found[1]), found[2], found[3])


def current_space(connection: sqlite3.Connection) -> Space:
    """The space that searches use."""
    space = find_space(connection)
    if space is None:
        raise MemoryFileError("The memory has no encoder; its file was not made completely.")
    return space


def position(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Number and dimension of the current space, and the newest change: what a cache follows."""
    space, dimension = connection.execute(
        "SELECT space, dimension FROM spaces WHERE state = 'current'"
    ).fetchone()
    return space, dimension, newest_change(connection)


def newest_change(connection: sqlite3.Connection) -> int:
    """Number of the last change made to any row; 0 in an empty memory."""
    return int(connection.execute("SELECT coalesce(max(change), 0) FROM changes").fetchone()[0])


def make_space(connection: sqlite3.Connection, encoder: Encoder, state: str = "current") -> Space:
    """A new, empty space, with the parts that its encoder needs to be loaded again."""
    fingerprint = encoder.fingerprint
    dimension, since = len(fingerprint.picture), newest_change(connection)
    number = connection.execute(
        "INSERT INTO spaces (fingerprint, dimension, state, since) VALUES (?, ?, ?, ?) "
        "RETURNING space",
        (fingerprint.to_json(), dimension, state, since),
    ).fetchone()[0]
    for kind in KINDS:
        connection.execute(
            f"CREATE TABLE {table_name(kind, number)} "
            "(key INTEGER PRIMARY KEY, vector BLOB NOT NULL) STRICT"
        )
    connection.executemany(
        "INSERT INTO encoder_parts VALUES (?, ?, ?)",
        [(number, name, data) for name, data in encoder.parts().items()],
    )
    return Space(number, fingerprint, dimension, since)


def drop_space(connection: sqlite3.Connection, space: int) -> None:
    """Forget a space, its vectors and its encoder's parts."""
    for kind in KINDS:
        connection.execute(f"DROP TABLE {table_name(kind, space)}")
    connection.execute("DELETE FROM spaces WHERE space = ?", (space,))


def space_encoder(
    connection: sqlite3.Connection, space: Space, given: Encoder | None = None
) -> Encoder:
    """The encoder of a space, from its name and the parts that are kept with it.

    Args:
        connection: to the memory's file.
        space: whose encoder.
        given: use this one instead; for a trained encoder, its base will do.

    Raises:
        EncoderError: it cannot be loaded.
        EncoderMismatchError: the base of a trained encoder computes something else than it did.
    """
    sql = "SELECT name, bytes FROM encoder_parts WHERE space = ?"
    parts = dict(connection.execute(sql, (space.number,)).fetchall())
    if given is not None and (given.parts() or not parts):
        return given
    return load_encoder(space.fingerprint.spec, parts, base=given)


def write_vector(
    connection: sqlite3.Connection, kind: Kind, space: int, row: int, vector: NDArray[np.floating]
) -> None:
    """Keep a picture's vector (d,) or features (F,) in place of what it had."""
    connection.execute(
        f"INSERT OR REPLACE INTO {table_name(kind, space)} VALUES (?, ?)",
        (row, pack(vector)),
    )


def write_text_vectors(
    connection: sqlite3.Connection, space: int, row: int, vectors: Array
) -> None:
    """Keep the vectors (t, d) of a row's texts in place of those it had."""
    _delete_keys(connection, "text_vectors", space, row)
    connection.executemany(
        f"INSERT INTO {table_name('text_vectors', space)} VALUES (?, ?)",
        [(row << TEXT_BITS | i, pack(v)) for i, v in enumerate(vectors)],
    )


def delete_vectors(connection: sqlite3.Connection, space: int, row: int) -> None:
    """Forget all that a space holds of a row."""
    for kind in KINDS:
        _delete_keys(connection, kind, space, row)


def read_vectors(
    connection: sqlite3.Connection, kind: Kind, space: int, rows: Iterable[int]
) -> dict[int, Array]:
    """Vectors (d,) of pictures, or their features (F,), by row; rows without one are left out."""
    sql = f"SELECT vector FROM {table_name(kind, space)} WHERE key = ?"
    found = ((row, connection.execute(sql, (row,)).fetchone()) for row in rows)
    return {row: np.frombuffer(v[0], STORED).astype(np.float32) for row, v in found if v}


def read_text_vectors(connection: sqlite3.Connection, space: Space, row: int) -> Array:
    """Vectors (t, d) of a row's texts, in their order."""
    found = connection.execute(
        f"SELECT vector FROM {table_name('text_vectors', space.number)} "
        "WHERE key >= ? AND key < ? ORDER BY key",
        (row << TEXT_BITS, (row + 1) << TEXT_BITS),
    )
    return unpack((v for (v,) in found), space.dimension)


def pack(vector: NDArray[np.floating]) -> bytes:
    """A vector as it is stored."""
    return vector.astype(STORED).tobytes()


def unpack(blobs: Iterable[bytes], dimension: int) -> Array:
    """Stored vectors (n) as a matrix (n, d)."""
    flat = np.frombuffer(b"".join(blobs), STORED)
    return flat.reshape(-1, dimension).astype(np.float32)


def _delete_keys(connection: sqlite3.Connection, kind: Kind, space: int, row: int) -> None:
    bits = TEXT_BITS if kind == "text_vectors" else 0
    connection.execute(
        f"DELETE FROM {table_name(kind, space)} WHERE key >= ? AND key < ?",
        (row << bits, (row + 1) << bits),
    )
