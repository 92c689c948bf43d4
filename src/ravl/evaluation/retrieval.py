"""Exact ranks of relevant items, and the metrics computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.errors import DataError
from ravl.evaluation.scores import Groups, Score, Statistic, bootstrap, paired_difference

Positions = NDArray[np.int64]
Ranks = NDArray[np.int64]

SCORES = 8_000_000  # scores per block of queries: 32 MB, and the same again for temporary arrays
FEW = 100  # up to this number of relevant items counting is faster than sorting
# Scores of equal vectors differ in the last bits, depending on their place in the product.
SAME = 1e-6
DEPTH = 10  # of nDCG
EARLY = 10  # of the recall that retrievers are chosen by


def ranks_of_relevant(
    queries: Array,
    items: Array,
    relevant: Sequence[Positions],
    exclude: Positions | None = None,
    offset: Array | None = None,
) -> list[Ranks]:
    """The 1-based rank of every relevant item of each query among all items.

    Ties get the worst rank: the rank is 1 + the number of other items with at least the same score,
    relevant or not. So an encoder that gives all items the same vector finds nothing.

    Args:
        queries: (q, d) float32, L2-normalised.
        items: (n, d) float32, L2-normalised.
        relevant: for each query the positions of its relevant items, in any order.
        exclude: (q,) a position that is not ranked, such as the query itself, or -1; it has no rank
            even if it is relevant.
        offset: (n,) added to all scores of an item; None means no offset.

    Returns:
        For each query its ranks, ascending; int64. Empty if the query has no relevant item.

    Raises:
        DataError: lengths that do not fit, or a position out of range.
    """
    _check(queries, items, exclude)
    if len(relevant) != len(queries):
        raise DataError(f"{len(queries)} queries have {len(relevant)} lists of relevant items.")
    if offset is not None and offset.shape != (len(items),):
        raise DataError(f"{len(items)} items have offsets of shape {offset.shape}.")
    owners, wanted = _pairs(relevant, len(items), exclude)
    bounds = np.searchsorted(owners, np.arange(len(queries) + 1))
    ranks: list[Ranks] = []
    for start, scores in _blocks(queries, items, exclude, offset):
        for i, line in enumerate(scores, start):
            ranks.append(_ranks(line, wanted[bounds[i] : bounds[i + 1]]))
    return ranks


def per_query(ranks: Sequence[Ranks]) -> dict[str, NDArray[np.float64]]:
    """The values (q,) of each query; the scores are their mean or median.

    Args:
        ranks: the result of :func:`ranks_of_relevant`.

    Returns:
        ``R@1``, ``R@5``, ``R@10`` (1 if a relevant item is among the first k), ``median_rank`` (of
        the first relevant item), ``MRR`` (1 / that rank) and ``nDCG@10`` (Järvelin & Kekäläinen,
        2002, with gain 1 for relevant items; the ideal contains all relevant items).

    Raises:
        DataError: there is no query, or one without a relevant item.
    """
    counts = np.array([len(r) for r in ranks], np.int64)
    if not len(counts):
        raise DataError("There is no score without queries.")
    if (missing := np.flatnonzero(counts == 0)).size:
        raise DataError(
            f"{missing.size} queries have no relevant item, the first is number {missing[0]}; "
            "leave them out, because they can only fail."
        )
    starts = np.cumsum(counts) - counts
    every = np.concatenate(ranks)
    first = np.minimum.reduceat(every, starts).astype(np.float64)
    gains = np.where(every <= DEPTH, 1 / np.log2(every + 1.0), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(1, DEPTH + 1) + 1.0))
    return {
        **{f"R@{k}": (first <= k).astype(np.float64) for k in (1, 5, 10)},
        "median_rank": first,
        "MRR": 1 / first,
        "nDCG@10": np.add.reduceat(gains, starts) / ideal[np.minimum(counts, DEPTH) - 1],
    }


def retrieval_scores(
    ranks: Sequence[Ranks], groups: Groups | None = None, seed: int = 0
) -> dict[str, Score]:
    """The scores of :func:`per_query` over all queries, with their intervals.

    Args:
        ranks: the result of :func:`ranks_of_relevant`, for queries with a relevant item.
        groups: (q,) the group of each query, for example its picture.
        seed: of the bootstrap.

    Raises:
        DataError: there is no query, or one without a relevant item.
    """
    return {
        name: bootstrap(values, groups, _statistic(name), seed=seed)
        for name, values in per_query(ranks).items()
    }


def retrieval_differences(
    after: Sequence[Ranks], before: Sequence[Ranks], groups: Groups | None = None, seed: int = 0
) -> dict[str, Score]:
    """After minus before of each score in :func:`retrieval_scores`, for the same queries.

    Raises:
        DataError: as there, and if the two have different lengths.
    """
    new, old = per_query(after), per_query(before)
    return {
        name: paired_difference(new[name], old[name], groups, _statistic(name), seed=seed)
        for name in new
    }


def precision_at(
    queries: Array,
    items: Array,
    labels_q: Numbers,
    labels_i: Numbers,
    k: int = 5,
    exclude: Positions | None = None,
) -> NDArray[np.float64]:
    """The share of the k best items with the query's label; in ties the wrong items come first.

    Args:
        queries: (q, d) float32, L2-normalised.
        items: (n, d) float32, L2-normalised.
        labels_q: (q,) names or numbers.
        labels_i: (n,) names or numbers.
        k: the number of best items.
        exclude: (q,) a position that is not ranked, or -1.

    Returns:
        One share per query, (q,).

    Raises:
        DataError: lengths that do not fit, or fewer than k items to rank.
    """
    _check(queries, items, exclude)
    if len(labels_q) != len(queries) or len(labels_i) != len(items):
        raise DataError("Each query and each item needs one label.")
    ranked = len(items) - int(exclude is not None and bool((exclude >= 0).any()))
    if not 1 <= k <= ranked:
        raise DataError(f"There are no first {k} items, because only {ranked} items are ranked.")
    _, numbers = np.unique(np.concatenate([labels_q, labels_i]), return_inverse=True)
    of_queries, of_items = np.split(numbers, [len(labels_q)])
    shares = np.zeros(len(queries))
    for start, scores in _blocks(queries, items, exclude, None):
        right = of_items == of_queries[start : start + len(scores), None]  # (b, n)
        last = np.partition(scores, -k, axis=1)[:, -k, None]  # (b, 1) the k-th best score
        above = scores > last + SAME
        tied = (scores >= last - SAME) & ~above
        # Places that remain for tied items, after the wrong tied items.
        left = k - above.sum(axis=1) - (tied & ~right).sum(axis=1)
        found = (above & right).sum(axis=1) + np.maximum(left, 0)
        shares[start : start + len(scores)] = found / k
    return shares


def _check(queries: Array, items: Array, exclude: Positions | None) -> None:
    if queries.ndim != 2 or items.ndim != 2 or queries.shape[1] != items.shape[1]:
        raise DataError(
            f"Queries {queries.shape} and items {items.shape} have different dimensions."
        )
    if exclude is None:
        return
    if len(exclude) != len(queries):
        raise DataError(f"{len(queries)} queries have {len(exclude)} positions to exclude.")
    if len(exclude) and (exclude.min() < -1 or exclude.max() >= len(items)):
        raise DataError(f"A position to exclude is neither -1 nor one of {len(items)} items.")


def _pairs(
    relevant: Sequence[Positions], count: int, exclude: Positions | None
) -> tuple[Positions, Positions]:
    """Each pair of query and relevant item once: numbers of queries, ascending, and positions."""
    lengths = [len(r) for r in relevant]
    owners = np.repeat(np.arange(len(relevant)), lengths)
    wanted = np.concatenate([np.zeros(0, np.int64), *relevant]).astype(np.int64)
    if wanted.size and (wanted.min() < 0 or wanted.max() >= count):
        raise DataError(f"A relevant item is not one of the {count} items.")
    if exclude is not None:
        kept = wanted != exclude[owners]
        owners, wanted = owners[kept], wanted[kept]
    both = np.unique(owners * max(count, 1) + wanted)
    return both // max(count, 1), both % max(count, 1)


def _blocks(
    queries: Array, items: Array, exclude: Positions | None, offset: Array | None
) -> Iterator[tuple[int, Array]]:
    """The first query's number and the scores (b, n) of each block of queries."""
    step = max(1, SCORES // max(1, len(items)))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ items.T
        if offset is not None:
            scores += offset
        if exclude is not None:
            out = exclude[start : start + step]
            rows = np.flatnonzero(out >= 0)
            scores[rows, out[rows]] = -np.inf
        yield start, scores


def _ranks(line: Array, wanted: Positions) -> Ranks:
    """Ascending ranks of the wanted positions among the scores (n,) of one query."""
    least = line[wanted] - np.float32(SAME)
    if len(wanted) <= FEW:
        ahead = [np.count_nonzero(line >= score) for score in least]  # including the item itself
        return np.sort(np.array(ahead, np.int64))
    return np.sort(len(line) - np.searchsorted(np.sort(line), least)).astype(np.int64)


def _statistic(name: str) -> Statistic:
    return "median" if name == "median_rank" else "mean"


def early_recall(both: Sequence[Sequence[NDArray[np.int64]]], pictures: int) -> float:
    """R@10, the mean of both directions: what retrievers are chosen by on a validation split.

    Of fewer than a hundred pictures the first tenth counts: among ten pictures all are in the
    first ten.

    Args:
        both: ranks of what belongs to each text, and to each picture.
        pictures: how many there are.
    """
    depth = min(EARLY, max(1, pictures // 10))
    return float(np.mean([np.mean([r[0] <= depth for r in ranks]) for ranks in both]))
