"""Exact nearest neighbours: a blocked matrix product that keeps only the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.blocks import Blocks
from ravl.threads import cores, in_order

Positions = NDArray[np.int64]

ROWS = 16384  # of the matrix per block: its scores stay in the processor's cache
HALF_ROWS = 8192  # the same for float16, whose blocks are widened to float32 first
QUERIES = 128  # per block
GATHERED = 4  # at most one in so many rows is gathered; else all are scored
LARGE = 50_000_000  # multiplications from which the blocks are shared out to all cores
GROUP = 64  # scores of which only the largest is looked at first

Found = TypeVar("Found")
Piece = tuple[NDArray[Any], Positions, NDArray[np.bool_] | None]


def top_k(
    matrix: NDArray[np.floating] | Blocks,
    queries: Array,
    k: int,
    allowed: Positions | None = None,
    offset: Array | None = None,
) -> tuple[Array, Positions]:
    """The k rows of the matrix with the largest dot product, for each query.

    Args:
        matrix: vectors to search, (n, d), float32 or float16 (half the memory, many times
            slower: see :mod:`ravl.store.coded_search`); as an array, or in blocks.
        queries: (q, d) float32.
        k: how many; fewer are returned when there are fewer rows.
        allowed: sorted positions in the matrix to choose from, None for all.
        offset: (n,) float32, added to all scores of a row of the matrix; None for none.

    Returns:
        Scores, best first, and their positions in the matrix, both (q, min(k, rows)).
    """
    count = len(matrix) if allowed is None else len(allowed)
    k = min(k, count)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    positions = np.zeros((len(queries), k), np.int64)
    if k == 0:
        return scores, positions

    def of_piece(piece: Piece) -> list[tuple[Array, Positions]]:
        block, where, hidden = piece
        wide = block.astype(np.float32, copy=False)
        found = []
        for i in range(0, len(queries), QUERIES):
            some = queries[i : i + QUERIES] @ wide.T
            if offset is not None:
                some += offset[where]
            if hidden is not None:
                some[:, hidden] = -np.inf
            best, places = best_of(some, k)
            found.append((best, where[places]))
        return found

    for found in on_cores(of_piece, pieces(matrix, allowed), count * queries.size):
        for i, (best, where) in zip(range(0, len(queries), QUERIES), found, strict=True):
            _merge(scores[i : i + QUERIES], positions[i : i + QUERIES], best, where)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, 1), np.take_along_axis(positions, order, 1)


def on_cores(
    work: Callable[[Piece], Found], items: Iterator[Piece], multiplications: int
) -> Iterator[Found]:
    """What ``work`` gives for each piece, in their order; on all cores where it is much work."""
    large = multiplications >= LARGE and cores() > 1
    return in_order(work, items) if large else map(work, items)


def pieces(matrix: NDArray[Any] | Blocks, allowed: Positions | None) -> Iterator[Piece]:
    """Some rows (b, ...) at a time, their positions (b,), and those that are not allowed, (b,)."""
    if allowed is not None and GATHERED * len(allowed) < len(matrix):
        for start in range(0, len(allowed), HALF_ROWS):
            some = allowed[start : start + HALF_ROWS]
            yield matrix[some], some, None
        return
    for start, part in _parts(matrix):
        where = np.arange(start, start + len(part))
        if allowed is None:
            yield part, where, None
            continue
        first, last = np.searchsorted(allowed, (start, start + len(part)))
        hidden = np.ones(len(part), bool)
        hidden[allowed[first:last] - start] = False
        yield part, where, hidden if hidden.any() else None


def _parts(matrix: NDArray[Any] | Blocks) -> Iterator[tuple[int, NDArray[Any]]]:
    if isinstance(matrix, Blocks):
        yield from zip(matrix.starts.tolist(), matrix.parts, strict=False)
        return
    step = HALF_ROWS if matrix.dtype == np.float16 else ROWS
    for start in range(0, len(matrix), step):
        yield start, matrix[start : start + step]


def best_of(scores: Array, k: int) -> tuple[Array, Positions]:
    """The k largest of each line of (q, b), unordered; all of them when b <= k.

    The k largest lie in the k groups with the largest maxima, and finding maxima is one pass at
    the memory's speed, so that the slow partial sort sees k * GROUP numbers instead of b.
    """
    q, b = scores.shape
    whole = b // GROUP * GROUP
    if b <= 4 * k * GROUP:
        return _partition(scores, np.broadcast_to(np.arange(b), (q, b)), k)
    maxima = scores[:, :whole].reshape(q, -1, GROUP).max(axis=2)
    groups = np.argpartition(maxima, -k, axis=1)[:, -k:]  # (q, k)
    candidates = (groups[:, :, None] * GROUP + np.arange(GROUP)).reshape(q, -1)
    rest = np.broadcast_to(np.arange(whole, b), (q, b - whole))
    candidates = np.concatenate([candidates, rest], axis=1)
    return _partition(np.take_along_axis(scores, candidates, 1), candidates, k)


def _partition(scores: Array, where: Positions, k: int) -> tuple[Array, Positions]:
    if scores.shape[1] <= k:
        return scores, where
    top = np.argpartition(scores, -k, axis=1)[:, -k:]
    return np.take_along_axis(scores, top, 1), np.take_along_axis(where, top, 1)


def _merge(scores: Array, positions: Positions, more: Array, where: Positions) -> None:
    """Keep, in place, the best of what was found so far and of one more block."""
    k = scores.shape[1]
    both = np.concatenate([scores, more], axis=1)
    places = np.concatenate([positions, where], axis=1)
    scores[:], positions[:] = _partition(both, places, k)
