"""Reranking: a second, careful look at the top of a ranking, by a model that reads pairs.

Vectors are compared a million at a time; a model that reads a picture and a text together, with
what the memory knows about both, is slower and better. So it reads the best of the first ranking
only. What counts is the sum of both opinions, each in its own spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.hits import Found
from ravl.retrieval.ranking import Ranked

DEPTH = 50  # candidates that are reranked
FLAT = 1e-6  # a spread below this tells nothing


class PairScorer(Protocol):
    """What judges pairs; :class:`ravl.tasks.match.model.MatchPipeline` does."""

    def log_odds(self, features: Array, texts: Sequence[str], picture: Ints, text: Ints) -> Array:
        """That texts fit pictures, (n,).

        Args:
            features: of m pictures, by the memory's frozen tower, (m, F).
            texts: t of them.
            picture, text: positions of each pair's, (n,).
        """


@dataclass(frozen=True, eq=False)
class Reranker:
    """Looks at the best of a ranking again.

    Args:
        scorer: of pairs of a picture and a text.
        weight: of the scorer beside the first ranking, both divided by their spread; 0 changes
            nothing.
        depth: candidates that it looks at; those below keep their order and place.
    """

    scorer: PairScorer
    weight: float
    depth: int = DEPTH

    def __call__(self, candidates: Sequence[Ranked], odds: Sequence[float | None]) -> list[Ranked]:
        """One query's candidates, best first, in their new order.

        Args:
            candidates: best first.
            odds: the scorer's, of the first of them; the rest follow as they are. None for one
                that cannot be judged, since it lacks a picture or a text: it counts as middling.
        """
        top, rest = candidates[: len(odds)], candidates[len(odds) :]
        known = [value for value in odds if value is not None]
        if not known:
            return list(candidates)
        middle = float(np.mean(known))
        judged = np.array([[middle if value is None else value for value in odds]], np.float32)
        first = np.array([[c.score for c in top]], np.float32)
        scores = mixed(first, judged, self.weight)[0]
        again = [
            replace(
                top[i],
                score=float(scores[i]),
                by={**top[i].by, "reranked": Found(rank, float(judged[0, i]))},
            )
            for rank, i in enumerate(np.argsort(-scores, kind="stable").tolist(), 1)
        ]
        # Below what was looked at, so that scores fall with the rank.
        lowest = float(scores.min())
        return again + [replace(c, score=lowest - i) for i, c in enumerate(rest, 1)]

    def neighbours(
        self, neighbours: Neighbours, odds: Array, known: NDArray[np.bool_]
    ) -> Neighbours:
        """Neighbours in their new order, with a similarity that includes the scorer's opinion.

        The log odds count in the spread of the query's own likenesses, so that what votes by them
        finds the numbers that it is used to. They may exceed 1.

        Args:
            neighbours: of n queries, (n, K).
            odds: the scorer's, that what a neighbour says fits the query, (n, K).
            known: where it could be asked, (n, K); the others count as middling.
        """
        there, known = neighbours.found, known & neighbours.found
        middle = _mean(odds, known)
        standard, _ = _by_spread(np.where(known, odds, middle), there)
        spread = _by_spread(neighbours.similarity, there)[1]
        similarity = neighbours.similarity + np.float32(self.weight) * spread * standard
        order = np.argsort(np.where(there, -similarity, np.inf), axis=1, kind="stable")
        again = np.where(there, similarity, 0).astype(np.float32)
        return Neighbours(
            np.take_along_axis(neighbours.positions, order, 1), np.take_along_axis(again, order, 1)
        )


def mixed(first: Array, odds: Array, weight: float) -> Array:
    """First scores (q, c) and log odds (q, c) as one score (q, c), each in its own spread."""
    there = np.ones(first.shape, bool)
    return _by_spread(first, there)[0] + np.float32(weight) * _by_spread(odds, there)[0]


def _mean(scores: Array, there: NDArray[np.bool_]) -> Array:
    """Of each row (n, c) where there is something, (n, 1); 0 where there is nothing."""
    sums: Array = np.where(there, scores, 0).sum(1, keepdims=True)
    mean: Array = sums / np.maximum(there.sum(1, keepdims=True), 1)
    return mean


def _by_spread(scores: Array, there: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Each row (n, c) less its mean by its spread, and that spread (n, 1); of what is there."""
    centred = np.where(there, scores - _mean(scores, there), 0)
    spread = np.sqrt(_mean(centred**2, there))
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > FLAT), spread
