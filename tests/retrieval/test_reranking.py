from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.hits import Found
from ravl.retrieval.ranking import Ranked, ranking
from ravl.retrieval.reranking import Reranker
from tests.helpers import ColourEncoder, make_examples


class Contrary:
    """Likes what the first ranking does not: the colour named last, by the pixels."""

    def __init__(self, liked: Array) -> None:
        self.liked = liked
        self.calls: list[tuple[int, int, int]] = []

    def log_odds(self, features: Array, texts: Sequence[str], picture: Ints, text: Ints) -> Array:
        self.calls.append((len(features), len(texts), len(picture)))
        return (features @ self.liked)[picture].astype(np.float32)


@pytest.fixture
def memory(tmp_path: Path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as opened:
        opened.add(make_examples(tmp_path / "pictures", 24))
        yield opened


def candidates(scores: Sequence[float]) -> list[Ranked]:
    return ranking("pictures", range(len(scores)), scores)


def again(weight: float) -> Reranker:
    return Reranker(Contrary(np.zeros(1, np.float32)), weight)


def test_both_opinions_count_in_their_own_spread():
    line = candidates([0.9, 0.8, 0.2])
    assert [c.key for c in again(0.0)(line, [0.0, 50.0, 90.0])] == [0, 1, 2]
    found = again(5.0)(line, [0.0, 50.0, 90.0])
    assert found[0].by == {"pictures": Found(3, 0.2), "reranked": Found(1, 90.0)}
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)


def test_what_is_below_stays_there_and_what_cannot_be_judged_is_middling():
    line = candidates([0.9, 0.8, 0.7, 0.6, 0.5])
    found = again(100.0)(line, [1.0, None, 3.0])
    assert [c.key for c in found] == [2, 1, 0, 3, 4]
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert again(1.0)(line, [None, None]) == line


def test_a_scorer_that_likes_all_alike_changes_nothing():
    line = candidates([0.9, 0.8, 0.7])
    found = again(3.0)(line, [2.0, 2.0, 2.0])
    assert [c.key for c in found] == [0, 1, 2]


@pytest.mark.parametrize("mode", ["auto", "dense", "fused"])
def test_texts_that_look_for_pictures_are_reranked_in_one_call(memory, mode):
    plain = memory.search(["red", "green"], k=3, mode=mode)
    blue = memory.encoder.encode_pictures(
        [memory.picture(next(r for r in memory.rows() if r.label == "blue"))]
    )
    scorer = Contrary(blue[0][0])
    found = memory.search(["red", "green"], k=3, mode=mode, rerank=Reranker(scorer, 50.0, depth=24))
    assert len(scorer.calls) == 1
    assert scorer.calls[0][1] == 2
    assert [h.row.label for h in plain[0]] == ["red"] * 3
    for hits in found:
        assert {h.row.label for h in hits} == {"blue"}
        assert [h.by["reranked"].rank for h in hits] == [1, 2, 3]
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_a_picture_that_looks_for_texts_is_reranked_and_one_for_pictures_is_not(memory):
    scorer = Contrary(np.ones(memory.encoder.feature_dimension, np.float32))
    second = Reranker(scorer, 1.0)
    red = next(r for r in memory.rows() if r.label == "red")
    hits = memory.search(like=red.id, target="texts", k=4, rerank=second)
    assert len(hits) == 4
    assert all("reranked" in h.by for h in hits)
    assert scorer.calls[0][0] == 1
    assert memory.search(like=red.id, k=4, rerank=second) == memory.search(like=red.id, k=4)
    assert memory.search("red", mode="keyword", rerank=second) == memory.search(
        "red", mode="keyword"
    )
    assert len(scorer.calls) == 1


def test_only_the_best_are_looked_at(memory):
    scorer = Contrary(np.ones(memory.encoder.feature_dimension, np.float32))
    hits = memory.search("red", k=20, mode="dense", rerank=Reranker(scorer, 1.0, depth=5))
    assert scorer.calls == [(5, 1, 5)]
    assert len(hits) == 20
    assert sum("reranked" in h.by for h in hits) == 5


# --- neighbours --------------------------------------------------------------------------------


def test_neighbours_are_reordered_in_the_spread_of_their_likeness():
    near = Neighbours(np.array([[7, 3, 5, -1]]), np.array([[0.9, 0.8, 0.7, 0.0]], np.float32))
    known = np.ones((1, 4), bool)
    odds = np.array([[-20.0, 0.0, 20.0, 99.0]], np.float32)
    assert again(0.0).neighbours(near, odds, known).positions.tolist() == [[7, 3, 5, -1]]
    found = again(2.0).neighbours(near, odds, known)
    assert found.positions.tolist() == [[5, 3, 7, -1]]
    # Both have the same spread, so that twice the odds turn the distances around.
    assert found.similarity[0].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.0])


def test_a_neighbour_that_says_nothing_is_middling():
    near = Neighbours(np.array([[0, 1, 2]]), np.full((1, 3), 0.5, np.float32))
    near.similarity[:] = [0.502, 0.501, 0.5]
    odds = np.array([[1.0, 500.0, 3.0]], np.float32)
    found = again(9.0).neighbours(near, odds, np.array([[True, False, True]]))
    assert found.positions.tolist() == [[2, 1, 0]]
    assert found.similarity[0, 1] == pytest.approx(0.501)


def test_where_no_neighbour_says_anything_all_stay():
    near = Neighbours(np.array([[4, 2, -1]]), np.array([[0.4, 0.3, 0.0]], np.float32))
    found = again(9.0).neighbours(near, np.ones((1, 3), np.float32), np.zeros((1, 3), bool))
    assert found.positions.tolist() == near.positions.tolist()
    assert found.similarity.tolist() == near.similarity.tolist()
