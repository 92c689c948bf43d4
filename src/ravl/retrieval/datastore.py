"""The datastore: the rows of a memory that may be evidence, and the neighbours found among them.

This is where *leave-self-out* lives. A query names the rows that it must not see, with all their
near-duplicates, and what is held out for validation and test is in no datastore at all
(:meth:`Datastore.only`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.retrieval.key_projection import KeyProjection
from ravl.store.collection import Collection
from ravl.store.row import Row
from ravl.store.top_k import top_k

Ints = NDArray[np.int64]
UNUSUAL = 0.01  # share of queries whose neighbours are less alike than is usual


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What was found for n queries.

    Args:
        positions: of rows in the datastore, (n, k), best first, -1 where there are no more.
        similarity: cosines of their keys, (n, k), 0 where there is none.
        weights: of each beside the others, (n, k), not negative, where keys give them; None where
            they vote by similarity alone.
    """

    positions: Ints
    similarity: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where there is one, (n, k)."""
        return self.positions >= 0

    @property
    def best_similarity(self) -> Array:
        """Similarity of the best, (n,), 0 where there is none."""
        best: Array = self.similarity.max(axis=1, initial=0)
        return best

    def first(self, k: int) -> Neighbours:
        """The k nearest of them."""
        weights = None if self.weights is None else self.weights[:, :k]
        return Neighbours(self.positions[:, :k], self.similarity[:, :k], weights)

    @property
    def mean_similarity(self) -> Array:
        """Mean similarity of all that were found, (n,), 0 where there is none."""
        mean: Array = self.similarity.sum(1) / np.maximum(self.found.sum(1), 1)
        return mean

    def above_floor(self, usual: SimilarityFloor) -> Neighbours:
        """Those that are as alike as is usual, all together or each alone; other places are empty.

        The similarity of one tells little: among a hundred random rows some are alike by chance.
        """
        alike = (self.mean_similarity >= usual.together)[:, None] | (
            self.similarity >= usual.single
        )
        kept = self.found & alike
        return Neighbours(
            np.where(kept, self.positions, -1),
            np.where(kept, self.similarity, 0).astype(np.float32),
            None if self.weights is None else np.where(kept, self.weights, 0).astype(np.float32),
        )

    def concat(self, others: Neighbours) -> Neighbours:
        """These and those of other queries."""
        weights = None
        if self.weights is not None and others.weights is not None:
            weights = np.vstack([self.weights, others.weights])
        return Neighbours(
            np.vstack([self.positions, others.positions]),
            np.vstack([self.similarity, others.similarity]),
            weights,
        )

    def take(self, chosen: Ints) -> Neighbours:
        """Those of some of the queries."""
        weights = None if self.weights is None else self.weights[chosen]
        return Neighbours(self.positions[chosen], self.similarity[chosen], weights)


@dataclass(frozen=True, slots=True)
class SimilarityFloor:
    """How alike neighbours usually are, so that it is noticed when a memory knows nothing.

    Args:
        together: mean similarity of its neighbours that all but 1 % of the queries reach.
        single: similarity of the nearest that half of them reach.
    """

    together: float
    single: float

    @classmethod
    def of(cls, neighbours: Neighbours) -> SimilarityFloor:
        """What is usual for these; without any, everything is."""
        some = neighbours.found.any(axis=1)
        if not some.any():
            return cls(-1.0, -1.0)
        together = float(np.quantile(neighbours.mean_similarity[some], UNUSUAL))
        return cls(together, float(np.median(neighbours.best_similarity[some])))


@dataclass(frozen=True, eq=False)
class Datastore:
    """Rows with a picture, and their features.

    Args:
        rows: N of them.
        features: of the frozen tower, (N, F) float32.
        groups: number of the first of its near-duplicates, or its own, (N,).
        keys: what they are compared by, (N, d).
    """

    rows: Sequence[Row]
    features: Array
    groups: Ints
    keys: Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def numbers(self) -> Ints:
        """Row numbers, (N,), ascending."""
        return np.array([row.number for row in self.rows], np.int64)

    def neighbours(
        self,
        keys: Array,
        k: int,
        hidden: Sequence[Ints] | None = None,
        among: NDArray[np.bool_] | None = None,
    ) -> Neighbours:
        """The k nearest rows of each query.

        Args:
            keys: of the queries, (n, d).
            k: how many; fewer are found where the datastore is smaller.
            hidden: for each query the groups that it must not see: its own, in training.
            among: rows that may be found, (N,); None for all.
        """
        spare = max((self._size(groups) for groups in hidden), default=0) if hidden else 0
        allowed = None if among is None or among.all() else np.flatnonzero(among)
        similarity, found = self._top(keys, k + spare, allowed)
        positions = np.full((len(keys), k), -1, np.int64)
        scores = np.zeros((len(keys), k), np.float32)
        for i, (line, values) in enumerate(zip(found, similarity, strict=True)):
            if hidden is not None and len(hidden[i]):
                seen = ~np.isin(self.groups[line], hidden[i])
                line, values = line[seen], values[seen]
            count = min(k, len(line))
            positions[i, :count], scores[i, :count] = line[:count], values[:count]
        return Neighbours(positions, scores)

    def weighed(self, neighbours: Neighbours, keys: Array, by: KeyProjection) -> Neighbours:
        """Neighbours with their weights, where what made the keys gives any.

        Args:
            neighbours: of n queries.
            keys: of the queries, (n, d).
            by: what made these keys and those of the rows.
        """
        weights = by.weights(keys, neighbours.positions, self.keys_at)
        return neighbours if weights is None else replace(neighbours, weights=weights)

    def similarity(self, keys: Array, positions: Ints) -> Array:
        """Cosines of queries (n, d) to some rows of each, (n, k); 0 where there is none."""
        found = np.einsum("nd,nkd->nk", keys, self.keys_at(np.maximum(positions, 0)))
        return np.where(positions >= 0, found, 0).astype(np.float32)

    def features_at(self, positions: Ints) -> Array:
        """Features of some rows, (..., F)."""
        return self.features[positions]

    def keys_at(self, positions: Ints) -> Array:
        """Keys of some rows, (..., d)."""
        return self.keys[positions]

    def _top(self, keys: Array, k: int, allowed: Ints | None) -> tuple[Array, Ints]:
        """See :func:`ravl.store.top_k.top_k`."""
        return top_k(self.keys, keys, k, allowed)

    def only(self, chosen: NDArray[np.bool_]) -> Datastore:
        """A datastore of some of the rows."""
        where = np.flatnonzero(chosen)
        rows = [self.rows[i] for i in where.tolist()]
        return Datastore(rows, self.features[where], self.groups[where], self.keys[where])

    def showing(self, groups: Ints) -> Ints:
        """Positions of the rows that belong to these groups."""
        order, _ = self._by_group
        first, last = self._spans(groups)
        spans = [order[a:b] for a, b in zip(first, last, strict=True)]
        return np.concatenate([np.zeros(0, np.int64), *spans])

    def showing_each(self, hidden: Sequence[Ints]) -> list[Ints]:
        """For each query the positions of the rows of the groups that it must not see."""
        return [self.showing(groups) for groups in hidden]

    @cached_property
    def _by_group(self) -> tuple[Ints, Ints]:
        """Positions sorted by group, and their groups."""
        order = np.argsort(self.groups, kind="stable")
        return order, self.groups[order]

    def _spans(self, groups: Ints) -> tuple[Ints, Ints]:
        """Where each group begins and ends among the sorted ones."""
        _, names = self._by_group
        return np.searchsorted(names, groups, "left"), np.searchsorted(names, groups, "right")

    def _size(self, groups: Ints) -> int:
        """How many rows these groups have."""
        first, last = self._spans(groups)
        return int((last - first).sum())


def read_datastore(
    memory: Collection, keys: KeyProjection | None = None, where: str | None = None
) -> Datastore:
    """All rows of a memory that have a picture's features.

    Args:
        memory: to read from.
        keys: how to compare them; None makes them for these rows.
        where: only rows that this filter lets through.

    Raises:
        DataError: there is no such row, and so no evidence.
    """
    with memory.snapshot():
        rows = [row for row in memory.rows(where) if row.hash is not None]
        found = memory.store.vectors.read("features", [row.number for row in rows])
    rows = sorted((row for row in rows if row.number in found), key=lambda row: row.number)
    if not rows:
        raise nothing_seen(memory, where)
    features = np.stack([found[row.number] for row in rows])
    keys = keys or KeyProjection.of(features)
    groups = np.array([row.group for row in rows], np.int64)
    return Datastore(rows, features, groups, keys(features))


def nothing_seen(memory: Collection, where: str | None = None) -> DataError:
    """Why there is no evidence."""
    which = f" that {where!r} lets through" if where else ""
    return DataError(
        f"{memory.path} holds no picture{which}. Bring some in first: "
        f"ravl index PICTURES --memory {memory.path}"
    )
