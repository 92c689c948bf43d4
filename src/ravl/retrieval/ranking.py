"""Rankings of rows, and what is done with them: fusing several, making one more diverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.hits import Found

LEAST_WORDS = 0.05  # of the best keyword score
RRF = 60  # Cormack et al. 2009; damps the first places


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate: a row (or one text of it) in one or several rankings.

    Args:
        key: row number, or a text's key when texts are searched.
        score: by which it is ranked, higher is better.
        by: where each ranking put it.
    """

    key: int
    score: float
    by: dict[str, Found]


def ranking(name: str, keys: Sequence[int], scores: Sequence[float]) -> list[Ranked]:
    """One ranking, best first; of a key that occurs twice the first counts."""
    best: dict[int, float] = {}
    for key, score in zip(keys, scores, strict=True):
        best.setdefault(int(key), float(score))
    return [
        Ranked(key, score, {name: Found(rank, score)})
        for rank, (key, score) in enumerate(best.items(), 1)
    ]


def drop_weak_keyword_hits(found: Sequence[Ranked]) -> list[Ranked]:
    """Keyword hits that share more with the query than words such as "a", which all rows have.

    Fusing looks at ranks alone, and would count the first of the weak hits as a good one.
    """
    return [c for c in found if c.score >= LEAST_WORDS * found[0].score]


def fuse(
    rankings: Mapping[str, Sequence[Ranked]], weights: Mapping[str, float] | None = None
) -> list[Ranked]:
    """Reciprocal rank fusion (Cormack, Clarke & Buettcher 2009).

    Needs no scores that can be compared. A candidate gets weight / (60 + rank) from each ranking;
    the sum is given as a share of what first place in all of them would have given.

    Args:
        rankings: by name.
        weights: of each ranking, by name; 1 where left out.
    """
    weights = {name: (weights or {}).get(name, 1.0) for name in rankings}
    most = sum(weights.values()) / (RRF + 1)
    merged: dict[int, dict[str, Found]] = {}
    for candidates in rankings.values():
        for candidate in candidates:
            merged.setdefault(candidate.key, {}).update(candidate.by)
    fused = [
        Ranked(
            key, sum(weights[name] / (RRF + found.rank) for name, found in by.items()) / most, by
        )
        for key, by in merged.items()
    ]
    return sorted(fused, key=lambda c: (-c.score, c.key))


def diversify(
    candidates: Sequence[Ranked], vectors: Mapping[int, Array], k: int, diversity: float
) -> list[Ranked]:
    """Maximal marginal relevance (Carbonell & Goldstein 1998).

    Takes, one after another, the candidate with the largest ``(1 - diversity) * relevance -
    diversity * similarity to what was taken``; relevance is the score scaled to 0..1.

    Args:
        candidates: best first.
        vectors: of the candidates' pictures, (d,) each; one without a vector is like nothing.
        k: how many to take.
        diversity: 0 changes nothing, 1 ignores the query after the first.
    """
    if not candidates:
        return []
    scores = np.array([c.score for c in candidates])
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    size = len(next(iter(vectors.values()))) if vectors else 1
    matrix = np.stack([vectors.get(c.key, np.zeros(size, np.float32)) for c in candidates])
    similarity = np.full(len(candidates), -1.0)
    left = np.ones(len(candidates), bool)
    taken: list[Ranked] = []
    while len(taken) < min(k, len(candidates)):
        worth = (1 - diversity) * relevance - diversity * np.maximum(similarity, 0)
        i = int(np.argmax(np.where(left, worth, -np.inf)))
        taken.append(candidates[i])
        left[i] = False
        similarity = np.maximum(similarity, matrix @ matrix[i])
    return taken
