"""Exact nearest neighbours among float16 vectors: codes choose candidates, which are compared."""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import Array
from ravl.store.blocks import Blocks
from ravl.store.codes import dot
from ravl.store.top_k import QUERIES, Piece, Positions, best_of, on_cores, pieces, top_k

MOST = 2**22  # candidates of a batch of queries; where more are near each other, all are compared


def coded_top_k(
    matrix: Blocks,
    codes: Blocks,
    queries: Array,
    k: int,
    allowed: Positions | None = None,
    offset: Array | None = None,
) -> tuple[Array, Positions]:
    """What :func:`ravl.store.top_k.top_k` finds, by reading half as much, and none of it widened.

    Args:
        matrix: vectors to search, (n, d).
        codes: of them, (n,); see :mod:`ravl.store.codes`.
        queries: (q, d) float32.
        k: as in :func:`top_k`, like ``allowed`` and ``offset``.
        allowed: as there.
        offset: as there.

    Returns:
        As there.
    """
    found = []
    for start in range(0, len(queries), QUERIES):
        some = queries[start : start + QUERIES]
        chosen = _candidates(codes, some, k, allowed, offset)
        if chosen is None:
            found.append(top_k(matrix, some, k, allowed, offset))
            continue
        alone = (top_k(matrix, some[i : i + 1], k, rows, offset) for i, rows in enumerate(chosen))
        scores, positions = zip(*alone, strict=True)
        found.append((np.concatenate(scores), np.concatenate(positions)))
    if not found:
        return top_k(matrix, queries, k, allowed, offset)
    return np.concatenate([s for s, _ in found]), np.concatenate([p for _, p in found])


def _candidates(
    codes: Blocks, queries: Array, k: int, allowed: Positions | None, offset: Array | None
) -> list[Positions] | None:
    """For each query the rows, ascending, that may be among its k best; None where too many are.

    A row may be if the most that its score can be is not below the k-th largest of the least that
    scores can be.
    """
    count = len(codes) if allowed is None else len(allowed)
    k = min(k, count)
    if k == 0:
        return [np.zeros(0, np.int64)] * len(queries)
    lengths = np.linalg.norm(queries, axis=1)[:, None]
    least = np.full((len(queries), k), -np.inf, np.float32)  # the k largest of the least scores

    def of_piece(piece: Piece) -> tuple[Array, Positions, Positions, Array]:
        """The largest of the least scores; and query, row and most score of what may be best."""
        block, where, hidden = piece
        scores = dot(block, queries)
        if offset is not None:
            scores += offset[where]
        if hidden is not None:
            scores[:, hidden] = -np.inf
        error = lengths * block["error"]
        own = best_of(scores - error, k)[0]
        scores += error
        floor = least.min(axis=1) if own.shape[1] < k else own.min(axis=1)
        good = np.flatnonzero(scores >= np.maximum(floor, least.min(axis=1))[:, None])
        query, place = np.divmod(good, scores.shape[1])
        return own, query, where[place], scores[query, place]

    kept: list[tuple[Positions, Positions, Array]] = []
    total = 0
    for own, query, row, most in on_cores(of_piece, pieces(codes, allowed), count * queries.size):
        least = np.partition(np.concatenate([least, own], axis=1), -k, axis=1)[:, -k:]
        total += len(row)
        if total <= MOST:
            kept.append((query, row, most))
    if total > MOST:
        return None
    query, row, most = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    good = most >= least.min(axis=1)[query]
    return [row[good & (query == i)] for i in range(len(queries))]
