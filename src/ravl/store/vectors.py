"""The matrices that searches run over: vectors read from the file, and kept up to date with it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.blocks import Edit
from ravl.store.spaces import STORED, TEXT_BITS, Kind, table_name, unpack
from ravl.store.top_k import Positions

WIDEST = 4 * 2**30  # bytes; a matrix that would be larger as float32 is kept as float16
CHUNK = 16384  # rows read at a time
RELOAD = 0.2  # share of changed rows above which everything is read again


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one kind at one moment; never changed once made.

    Args:
        keys: (n,) ascending; row numbers for pictures, row number and position for texts.
        matrix: (n, d) float32, or float16 where float32 would be larger than ``WIDEST``.
        bits: how far to shift a key to the right for its row's number.
        space: of which encoder.
        change: the newest change of the memory that is in it.
    """

    keys: Positions
    matrix: NDArray[np.floating]
    bits: int
    space: int
    change: int

    @property
    def rows(self) -> Positions:
        """Row number of each vector, (n,)."""
        return self.keys >> self.bits

    def positions(self, rows: Sequence[int] | Positions) -> Positions:
        """Where the vectors of these rows (ascending) stand in the matrix, ascending."""
        if self.bits:
            return np.flatnonzero(np.isin(self.rows, rows))
        wanted = np.asarray(rows, np.int64)
        places = np.minimum(np.searchsorted(self.keys, wanted), max(0, len(self.keys) - 1))
        return places[self.keys[places] == wanted] if len(self.keys) else places[:0]


class VectorCache:
    """Keeps the vectors of one kind in memory and follows the file's changes.

    Args:
        kind: ``"vectors"`` of pictures, or ``"text_vectors"``.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._bits = TEXT_BITS if kind == "text_vectors" else 0
        self._now: Vectors | None = None
        self._spare: NDArray[np.floating] | None = None  # the buffer that `_now.matrix` begins
        self._lock = threading.Lock()

    def read(
        self, connection: sqlite3.Connection, space: int, dimension: int, change: int
    ) -> Vectors:
        """The vectors as they are in the file at this change; reads only what is new."""
        with self._lock:
            now = self._now
            if now is not None and now.space == space and now.change >= change:
                return now
            if now is None or now.space != space:
                self._now = self._load(connection, space, dimension, change)
            else:
                self._now = self._follow(connection, now, change)
            return self._now

    def _load(
        self, connection: sqlite3.Connection, space: int, dimension: int, change: int
    ) -> Vectors:
        table = table_name(self._kind, space)
        count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        wide = count * dimension * 4 > WIDEST
        matrix = np.empty((count, dimension), np.float16 if wide else np.float32)
        keys = np.empty(count, np.int64)
        cursor = connection.execute(
            f"SELECT key, vector FROM {table} ORDER BY key LIMIT ?",
            (count,),
        )
        done = 0
        for chunk in chunks(cursor):
            stop = done + len(chunk)
            keys[done:stop] = [key for key, _ in chunk]
            flat = np.frombuffer(b"".join(blob for _, blob in chunk), STORED)
            matrix[done:stop] = flat.reshape(-1, dimension)
            done = stop
        self._spare = matrix
        return Vectors(keys[:done], matrix[:done], self._bits, space, change)

    def _follow(self, connection: sqlite3.Connection, now: Vectors, change: int) -> Vectors:
        """Bring in the rows that changed since; the matrix is copied to replace or drop vectors."""
        touched = np.array(
            connection.execute(
                "SELECT DISTINCT row FROM changes WHERE change > ? ORDER BY row", (now.change,)
            ).fetchall(),
            np.int64,
        ).reshape(-1)
        dimension = now.matrix.shape[1]
        if len(touched) > RELOAD * len(now.keys) + CHUNK:
            return self._load(connection, now.space, dimension, change)
        keys, blobs = self._fetch(connection, now.space, touched)
        fresh = unpack(blobs, dimension).astype(now.matrix.dtype, copy=False)
        stale = now.positions(touched)
        same = np.array_equal(now.keys[stale], keys)
        if same and np.array_equal(now.matrix[stale], fresh):  # only what the rows say changed
            return replace(now, change=change)
        if len(stale) == 0 and (len(keys) == 0 or len(now.keys) == 0 or keys[0] > now.keys[-1]):
            matrix = self._append(now.matrix, fresh)
            return Vectors(np.concatenate([now.keys, keys]), matrix, now.bits, now.space, change)
        if same:  # as many as there were
            matrix = now.matrix.copy()
            matrix[stale] = fresh
            self._spare = matrix
            return replace(now, matrix=matrix, change=change)
        kept = np.delete(now.keys, stale)
        edit = Edit(stale, np.searchsorted(kept, keys) + np.arange(len(keys)))
        self._spare = matrix = edit.on(now.matrix, fresh)
        return Vectors(edit.on(now.keys, keys), matrix, now.bits, now.space, change)

    def _fetch(
        self, connection: sqlite3.Connection, space: int, rows: Positions
    ) -> tuple[Positions, list[bytes]]:
        table = table_name(self._kind, space)
        found: list[tuple[int, bytes]] = []
        for row in rows.tolist():
            found += connection.execute(
                f"SELECT key, vector FROM {table} WHERE key >= ? AND key < ? ORDER BY key",
                (row << self._bits, (row + 1) << self._bits),
            ).fetchall()
        return np.array([key for key, _ in found], np.int64), [blob for _, blob in found]

    def _append(self, matrix: NDArray[np.floating], fresh: Array) -> NDArray[np.floating]:
        """Write behind the end of the matrix, where older snapshots do not look."""
        used, size = len(matrix), len(matrix) + len(fresh)
        if self._spare is None or len(self._spare) < size:
            self._spare = np.empty((size + size // 8 + 64, matrix.shape[1]), matrix.dtype)
            self._spare[:used] = matrix
        self._spare[used:size] = fresh
        return self._spare[:size]


def chunks(cursor: sqlite3.Cursor, size: int = CHUNK) -> Iterator[list[tuple[int, bytes]]]:
    """A cursor's records, so many at a time."""
    while chunk := cursor.fetchmany(size):
        yield chunk
