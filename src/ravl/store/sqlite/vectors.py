"""The tables of vectors, three for each space."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import MemoryFileError
from ravl.store.space import KINDS, TEXT_BITS, Kind, bits_of
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.schema import table_name
from ravl.store.sqlite.sound import STORED, count_unsound, matrix
from ravl.store.sqlite.spaces import current_number, dimension_of, read_fingerprint
from ravl.store.top_k import Positions
from ravl.untrusted import ADVICE, damage_of

CHUNK = 16384  # vectors read at a time


class VectorTables:
    """The vectors of a memory; see :class:`ravl.store.contract.SpaceVectors`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._widths: dict[tuple[Kind, int], int] = {}  # a space's never change

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def table(self, kind: Kind, space: int | None = None) -> str:
        """Name of the table with the vectors of that kind, of a space or of the current one."""
        return table_name(kind, current_number(self._connection) if space is None else space)

    def count(self, kind: Kind, space: int | None = None) -> int:
        """How many there are."""
        found = self._connection.execute(f"SELECT count(*) FROM {self.table(kind, space)}")
        return int(found.fetchone()[0])

    def scan(
        self, kind: Kind, space: int | None = None, size: int = CHUNK
    ) -> Iterator[tuple[Positions, NDArray[np.floating]]]:
        """All of them as keys (n,), ascending, and a matrix (n, d) float16; ``size`` at a time."""
        table = self.table(kind, space)
        cursor = self._connection.execute(f"SELECT key, vector FROM {table} ORDER BY key")
        while chunk := cursor.fetchmany(size):
            vectors = self._matrix([blob for _, blob in chunk], kind, space)
            yield np.array([key for key, _ in chunk], np.int64), vectors

    def of_rows(
        self, kind: Kind, rows: Iterable[int], space: int | None = None
    ) -> tuple[Positions, Array]:
        """Keys (n,) and vectors (n, d) of these rows (ascending); ascending by key."""
        bits, connection = bits_of(kind), self._connection
        sql = (
            f"SELECT key, vector FROM {self.table(kind, space)} "
            "WHERE key >= ? AND key < ? ORDER BY key"
        )
        found: list[tuple[int, bytes]] = []
        for row in rows:
            found += connection.execute(sql, (row << bits, (row + 1) << bits)).fetchall()
        keys = np.array([key for key, _ in found], np.int64)
        return keys, self._matrix([blob for _, blob in found], kind, space).astype(np.float32)

    def rows(self, kind: Kind, among: Iterable[int] | None = None) -> set[int]:
        """Numbers of the rows that have a vector of this kind, pictures' or features."""
        sql, values = f"SELECT key FROM {self.table(kind)}", []
        if among is not None:
            sql += " WHERE key IN (SELECT value FROM json_each(?))"
            values = [json.dumps(list(among))]
        return {row for (row,) in self._connection.execute(sql, values)}

    def read(self, kind: Kind, rows: Iterable[int], space: int | None = None) -> dict[int, Array]:
        """Vectors (d,) of pictures, or their features (F,), by row; rows without are left out."""
        connection = self._connection
        sql = f"SELECT vector FROM {self.table(kind, space)} WHERE key = ?"
        found = ((row, connection.execute(sql, (row,)).fetchone()) for row in rows)
        blobs = {row: v[0] for row, v in found if v}
        vectors = self._matrix([*blobs.values()], kind, space).astype(np.float32)
        return dict(zip(blobs, vectors, strict=True))

    def read_texts(self, row: int, space: int | None = None) -> Array:
        """Vectors (t, d) of a row's texts, in their order."""
        return self.of_rows("text_vectors", [row], space)[1]

    def missing(self, space: int, among: Iterable[int] | None = None) -> list[int]:
        """Rows that lack a vector in a space: that of their picture, or of one of their texts."""
        pictures, texts = (table_name(kind, space) for kind in ("vectors", "text_vectors"))
        some, values = "1", []
        if among is not None:
            some, values = "row IN (SELECT value FROM json_each(?))", [json.dumps(list(among))]
        found = self._connection.execute(
            f"""SELECT row FROM rows WHERE {some} AND
                ((hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {pictures} WHERE key = row)) OR
                (texts != '[]' AND json_array_length(texts) != (
                    SELECT count(*) FROM {texts}
                    WHERE key >= row << {TEXT_BITS} AND key < (row + 1) << {TEXT_BITS})))
                ORDER BY row""",
            values,
        )
        return [row for (row,) in found]

    def write(
        self, kind: Kind, row: int, vector: NDArray[np.floating], space: int | None = None
    ) -> None:
        """Keep a picture's vector (d,) or features (F,) in place of what it had."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO {self.table(kind, space)} VALUES (?, ?)",
            (row, packed(vector)),
        )

    def write_texts(self, row: int, vectors: Array, space: int | None = None) -> None:
        """Keep the vectors (t, d) of a row's texts in place of those it had."""
        table = self.table("text_vectors", space)
        self._connection.execute(
            f"DELETE FROM {table} WHERE key >= ? AND key < ?",
            (row << TEXT_BITS, (row + 1) << TEXT_BITS),
        )
        self._connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?)",
            [(row << TEXT_BITS | i, packed(v)) for i, v in enumerate(vectors)],
        )

    def delete(self, row: int, space: int) -> None:
        """Forget all that a space holds of a row."""
        for kind in KINDS:
            bits = bits_of(kind)
            self._connection.execute(
                f"DELETE FROM {table_name(kind, space)} WHERE key >= ? AND key < ?",
                (row << bits, (row + 1) << bits),
            )

    def unsound(self, kind: Kind) -> int:
        """How many of the current space are not sound; see :mod:`ravl.store.sqlite.sound`."""
        width, bad = self._width(kind, None), 0
        cursor = self._connection.execute(f"SELECT vector FROM {self.table(kind)}")
        while chunk := cursor.fetchmany(CHUNK):
            bad += count_unsound([blob for (blob,) in chunk], kind, width)
        return bad

    def restored(self, kind: Kind, blob: bytes) -> Array:
        """Vectors (n, d) of the current space that were stored behind each other elsewhere."""
        size = max(1, self._width(kind, None) * STORED.itemsize)
        blobs = [blob]
        if isinstance(blob, bytes):  # else it is refused as what is not a vector
            blobs = [blob[i : i + size] for i in range(0, len(blob), size)]
        return self._matrix(blobs, kind, None).astype(np.float32)

    def stored(self, kind: Kind, row: int) -> list[bytes]:
        """What the current space holds of a row, sound or not, as it is stored."""
        bits = bits_of(kind)
        found = self._connection.execute(
            f"SELECT vector FROM {self.table(kind)} WHERE key >= ? AND key < ? ORDER BY key",
            (row << bits, (row + 1) << bits),
        )
        # A text, in a memory of a stranger, stays what it is: not a vector.
        return [blob if isinstance(blob, bytes) else str(blob).encode() for (blob,) in found]

    def _matrix(self, blobs: list[bytes], kind: Kind, space: int | None) -> NDArray[np.float16]:
        """Vectors (n, d) out of what is stored; raises MemoryFileError if one is not sound."""
        return matrix(blobs, kind, self._width(kind, space), self._database.path)

    def _width(self, kind: Kind, space: int | None) -> int:
        """Numbers of one vector."""
        number = current_number(self._connection) if space is None else space
        if (kind, number) not in self._widths:
            sql = "SELECT dimension, fingerprint FROM spaces WHERE space = ?"
            with damage_of(str(self._database.path), ADVICE, MemoryFileError):
                dimension, text = self._connection.execute(sql, (number,)).fetchone()
                features = len(read_fingerprint(text).features)
                width = features if kind == "features" else dimension_of(dimension)
            self._widths[kind, number] = width
        return self._widths[kind, number]


def packed(vector: NDArray[np.floating]) -> bytes:
    """A vector, or several, as it is stored."""
    return vector.astype(STORED).tobytes()
