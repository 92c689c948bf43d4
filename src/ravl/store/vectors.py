"""The matrices that searches run over: read from the store, and kept up to date with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.blocks import Blocks, Edit
from ravl.store.coded_search import coded_top_k
from ravl.store.codes import code_type, encode
from ravl.store.contract import Store
from ravl.store.space import Kind, SpaceState, bits_of
from ravl.store.top_k import Positions, top_k

BLOCK = 8192  # rows of a block: an edit copies the blocks that it touches
WIDEST = 4 * 2**30  # bytes; a matrix that would be larger as float32 is kept as float16 and codes
RELOAD = 0.2  # share of changed rows above which everything is read again
FEW = 16384  # changed rows up to which it never is


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one kind at one moment; never changed once made.

    Args:
        keys: (n,) ascending; row numbers for pictures, row number and position for texts.
        blocks: (n, d) float32, or float16 where float32 would be larger than ``WIDEST``.
        bits: how far to shift a key to the right for its row's number.
        space: of which encoder.
        change: the newest change of the memory that is in it.
        codes: (n,) of vectors that are float16, None of others; see :mod:`ravl.store.codes`.
    """

    keys: Positions
    blocks: Blocks
    bits: int
    space: int
    change: int
    codes: Blocks | None = None

    @property
    def matrix(self) -> NDArray[np.floating]:
        """All of them in one piece, (n, d); a copy where they are many."""
        found: NDArray[np.floating] = self.blocks.whole()
        return found

    @property
    def rows(self) -> Positions:
        """Row number of each vector, (n,)."""
        return self.keys >> self.bits

    def top(
        self,
        queries: Array,
        k: int,
        allowed: Positions | None = None,
        offset: Array | None = None,
    ) -> tuple[Array, Positions]:
        """The k nearest of each query; see :func:`ravl.store.top_k.top_k`."""
        if self.codes is None:
            return top_k(self.blocks, queries, k, allowed, offset)
        return coded_top_k(self.blocks, self.codes, queries, k, allowed, offset)

    def positions(self, rows: Sequence[int] | Positions) -> Positions:
        """Where the vectors of these rows (ascending) stand in the matrix, ascending."""
        if self.bits:
            return np.flatnonzero(np.isin(self.rows, rows))
        wanted = np.asarray(rows, np.int64)
        places = np.minimum(np.searchsorted(self.keys, wanted), max(0, len(self.keys) - 1))
        return places[self.keys[places] == wanted] if len(self.keys) else places[:0]


class VectorCache:
    """Keeps the vectors of one kind in memory and follows the store's changes.

    Args:
        store: to read from.
        kind: ``"vectors"`` of pictures, or ``"text_vectors"``.
    """

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store = store
        self._kind: Kind = kind
        self._now: Vectors | None = None
        self._lock = threading.Lock()

    def read(self, state: SpaceState) -> Vectors:
        """The vectors as they are in the store in this state; reads only what is new."""
        with self._lock:
            now = self._now
            if now is not None and now.space == state.space and now.change >= state.change:
                return now
            if now is None or now.space != state.space:
                self._now = self._load(state)
            else:
                self._now = self._follow(now, state)
            return self._now

    def _load(self, state: SpaceState) -> Vectors:
        count = self._store.vectors.count(self._kind, state.space)
        wide = count * state.dimension * 4 > WIDEST
        matrix = np.empty((count, state.dimension), np.float16 if wide else np.float32)
        keys = np.empty(count, np.int64)
        codes = np.empty(count if wide else 0, code_type(state.dimension))
        done = 0
        for some, vectors in self._store.vectors.scan(self._kind, state.space):
            stop = min(done + len(some), count)
            keys[done:stop], matrix[done:stop] = some[: stop - done], vectors[: stop - done]
            if wide:
                codes[done:stop] = encode(matrix[done:stop])
            done = stop
        return Vectors(
            keys=keys[:done],
            blocks=Blocks.of(matrix[:done], BLOCK),
            codes=Blocks.of(codes[:done], BLOCK) if wide else None,
            bits=bits_of(self._kind),
            space=state.space,
            change=state.change,
        )

    def _follow(self, now: Vectors, state: SpaceState) -> Vectors:
        """Bring in the rows that changed since; only the blocks of their vectors are copied."""
        touched = np.array(self._store.history.changed_since(now.change), np.int64)
        if len(touched) > RELOAD * len(now.keys) + FEW:
            return self._load(state)
        keys, read = self._store.vectors.of_rows(self._kind, touched.tolist(), state.space)
        fresh = read.astype(now.blocks.dtype, copy=False)
        stale = now.positions(touched)
        if np.array_equal(now.keys[stale], keys) and np.array_equal(now.blocks[stale], fresh):
            return replace(now, change=state.change)  # only what the rows say changed
        kept = np.delete(now.keys, stale)
        edit = Edit(stale, np.searchsorted(kept, keys) + np.arange(len(keys)))
        return replace(
            now,
            keys=edit.on(now.keys, keys),
            blocks=now.blocks.edited(edit, fresh),
            codes=None if now.codes is None else now.codes.edited(edit, encode(fresh)),
            change=state.change,
        )
