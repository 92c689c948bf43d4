"""What match is worth as a reranker: searches among held-out pictures, before and after.

The first ranking is the run's own dual encoder (or the pretrained one), which has seen no held-out
picture either. The weight of reranking is chosen on the validation split.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation import Score, retrieval_differences, retrieval_scores
from ravl.json_types import JsonObject
from ravl.retrieval.datastore import Ints
from ravl.retrieval.reranking import DEPTH, mixed
from ravl.tasks.match.dataset import MatchFitData
from ravl.tasks.match.predictor import MatchPredictor, QueryPairs, logit
from ravl.training.dual_encoder.pairs import pairs_of

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # of reranking; 0 for none
QUERIES = 200  # each way, of each split
READ, READ_DEPTH = 100, 20  # the same for a reader, which reads every pair
MEASURES = ("R@1", "R@5", "R@10", "MRR")
WAYS = ("text -> picture", "picture -> text")
CHOSEN_BY = "MRR"


@dataclass(frozen=True, eq=False)
class RerankGain:
    """What reranking gains and costs.

    Args:
        weight: of it, chosen on validation; 0 where it gained nothing there.
        depth: candidates that are looked at.
        scores: of the test split by way, then ``before``, ``after`` and ``difference``, then
            measure.
        queries: each way.
        milliseconds: that reranking takes for a query.
    """

    weight: float
    depth: int
    scores: dict[str, dict[str, dict[str, Score]]]
    queries: int
    milliseconds: float

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        scores = {
            way: {
                moment: {name: score.to_json() for name, score in found.items() if name in MEASURES}
                for moment, found in moments.items()
            }
            for way, moments in self.scores.items()
        }
        return {
            "weight": self.weight,
            "depth": self.depth,
            "queries": self.queries,
            "milliseconds": round(self.milliseconds, 2),
            "scores": scores,
        }


@dataclass(frozen=True, eq=False)
class Looked:
    """Queries of one way: the first ranking, and the scores of the reranked top.

    Args:
        first: scores of all items, (q, n).
        top: the best items, (q, c).
        logit: of these, (q, c).
        relevant: positions of what each query should find.
        groups: queries of one picture are equal, (q,).
    """

    first: Array
    top: Ints
    logit: Array
    relevant: list[Ints]
    groups: Ints

    def ranks(self, weight: float) -> list[Ints]:
        """1-based ranks of what is relevant, ascending, ties against us."""
        scores = self.first.astype(np.float64)
        if weight:
            best = np.take_along_axis(self.first, self.top, 1)
            again = mixed(best, self.logit, weight)
            above = scores.max(1, keepdims=True) + 1 + again - again.min(1, keepdims=True)
            np.put_along_axis(scores, self.top, above, 1)
        return [
            np.sort([(line >= line[j]).sum() for j in wanted])
            for line, wanted in zip(scores, self.relevant, strict=True)
        ]


def judge_reranking(data: MatchFitData, predictor: MatchPredictor) -> RerankGain:
    """Choose the weight on the validation split and measure on the test split."""
    queries, depth = (READ, READ_DEPTH) if predictor.reader else (QUERIES, DEPTH)
    unseen = both_ways(data, predictor, data.splits.validation, queries, depth)

    def worth(weight: float) -> float:
        found = (retrieval_scores(way.ranks(weight))[CHOSEN_BY].value for way in unseen)
        return sum(found)

    weight = max(WEIGHTS, key=worth)  # of equals the smallest
    began = time.monotonic()
    test = both_ways(data, predictor, data.splits.test, queries, depth)
    count = sum(len(way.first) for way in test)
    took = 1000 * (time.monotonic() - began) / count
    scores = {}
    for name, way in zip(WAYS, test, strict=True):
        before, after = way.ranks(0), way.ranks(weight)
        seed = data.settings.seed
        scores[name] = {
            "before": retrieval_scores(before, way.groups, seed),
            "after": retrieval_scores(after, way.groups, seed),
            "difference": retrieval_differences(after, before, way.groups, seed),
        }
    return RerankGain(weight, depth, scores, queries, took)


def both_ways(
    data: MatchFitData,
    predictor: MatchPredictor,
    pictures: Ints,
    queries: int,
    depth: int,
    first: Array | None = None,
) -> tuple[Looked, Looked]:
    """Texts of a split that look for its pictures, and pictures that look for its texts.

    Args:
        data: of the fit.
        predictor: that reranks.
        pictures: of the split, m positions.
        queries: each way, drawn by chance, at most.
        depth: candidates that it looks at.
        first: scores of the pictures with the split's t texts, in the order of the pairs' texts,
            (m, t); None for the predictor's dual encoder.
    """
    pairs, base = data.pairs, data.base
    own = pairs_of(pairs, pictures)
    which, text = np.unique(pairs.which[own], return_inverse=True)
    picture = np.searchsorted(pictures, pairs.owners[own])
    features = pairs.features[pictures]
    nothing = np.zeros(0, np.int64)
    asked = QueryPairs(
        features,
        base.project(features),
        [pairs.texts[i] for i in which.tolist()],
        data.vectors[which],
        nothing,
        nothing,
    )
    first = _first(predictor, asked) if first is None else first  # (m, t)
    random = np.random.default_rng(data.settings.seed)
    texts = _some(len(which), queries, random)
    seen = _some(len(pictures), queries, random)
    owner = np.zeros(len(which), np.int64)
    owner[text] = picture

    def looked(scores: Array, rows: Ints, by_text: bool, relevant: list[Ints]) -> Looked:
        top = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        asking, found = np.repeat(rows, top.shape[1]), top.ravel()
        one, other = (found, asking) if by_text else (asking, found)
        again = second_look(data, predictor, replace(asked, picture=one, text=other))
        groups = owner[rows] if by_text else rows
        return Looked(scores, top, again.reshape(top.shape), relevant, groups)

    return (
        looked(first.T[texts], texts, True, [picture[text == t] for t in texts.tolist()]),
        looked(first[seen], seen, False, [text[picture == p] for p in seen.tolist()]),
    )


def second_look(data: MatchFitData, predictor: MatchPredictor, asked: QueryPairs) -> Array:
    """Log odds (n,) of pairs, by the predictor with all that the datastore knows."""
    clues = predictor.clues(asked, data.row_texts)
    evidence = predictor.evidence(data.row_texts)
    return logit(
        predictor.answer(asked, data.row_texts, clues, evidence, apart=False).probabilities
    )


def _first(predictor: MatchPredictor, asked: QueryPairs) -> Array:
    """Scores of all pictures with all texts, (m, t)."""
    if predictor.picture_head is None or predictor.text_head is None:
        return asked.views @ asked.vectors.T
    return predictor.picture_head(asked.features) @ predictor.text_head(asked.vectors).T


def _some(count: int, most: int, random: np.random.Generator) -> Ints:
    return np.sort(random.permutation(count)[:most])
