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

from ravl.encoders.base import Array
from ravl.retrieval.bank import Ints
from ravl.retrieval.hits import Found
from ravl.retrieval.ranking import Ranked

DEPTH = 50  # candidates that are looked at again
FLAT = 1e-6  # a spread below this tells nothing


class PairScorer(Protocol):
    """What judges pairs; :class:`ravl.tasks.match_model.MatchModel` does."""

    def log_odds(
        self, features: Array, texts: Sequence[str], picture: Ints, text: Ints
    ) -> Array:  # fmt: skip
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

    def mixed(self, first: Array, odds: Array) -> Array:
        """First scores (q, c) and log odds (q, c) as one score (q, c)."""
        return _standard(first) + np.float32(self.weight) * _standard(odds)

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
        scores = self.mixed(first, judged)[0]
        again = [
            replace(
                top[i], score=float(scores[i]),
                by={**top[i].by, "reranked": Found(rank, float(judged[0, i]))},
            )
            for rank, i in enumerate(np.argsort(-scores, kind="stable").tolist(), 1)
        ]  # fmt: skip
        # Below what was looked at, so that scores fall with the rank.
        lowest = float(scores.min())
        return again + [replace(c, score=lowest - i) for i, c in enumerate(rest, 1)]


def _standard(scores: Array) -> Array:
    """Each row (c,) less its mean, by its spread."""
    spread = scores.std(1, keepdims=True)
    centred: Array = scores - scores.mean(1, keepdims=True)
    found: Array = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > FLAT)
    return found
