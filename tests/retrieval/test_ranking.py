from __future__ import annotations

import numpy as np
import pytest

from ravl.retrieval.ranking import diversify, drop_weak_keyword_hits, fuse, ranking


def test_ranking_keeps_the_first_of_doubles():
    ranked = ranking("texts", [7, 8, 7, 9], [0.9, 0.8, 0.7, 0.6])
    assert [(r.key, r.score, r.by["texts"].rank) for r in ranked] == [
        (7, 0.9, 1),
        (8, 0.8, 2),
        (9, 0.6, 3),
    ]


def test_fuse_is_reciprocal_rank_fusion():
    a = ranking("a", [1, 2, 3], [3.0, 2.0, 1.0])
    b = ranking("b", [3, 1], [30.0, 20.0])
    fused = fuse({"a": a, "b": b})
    best = 2 / 61
    expected = {1: (1 / 61 + 1 / 62) / best, 3: (1 / 63 + 1 / 61) / best, 2: (1 / 62) / best}
    assert [r.key for r in fused] == [1, 3, 2]
    for r in fused:
        assert r.score == pytest.approx(expected[r.key])
    assert set(fused[0].by) == {"a", "b"}
    assert set(fused[2].by) == {"a"}


def test_first_everywhere_is_one():
    a, b = ranking("a", [1], [0.1]), ranking("b", [1], [7.0])
    assert fuse({"a": a, "b": b})[0].score == pytest.approx(1)


def test_diversify():
    vectors = {
        1: np.array([1, 0], np.float32),
        2: np.array([1, 0], np.float32),
        3: np.array([0, 1], np.float32),
    }
    candidates = ranking("a", [1, 2, 3], [1.0, 0.99, 0.5])
    assert [r.key for r in diversify(candidates, vectors, 2, 0.0)] == [1, 2]
    assert [r.key for r in diversify(candidates, vectors, 2, 0.5)] == [1, 3]
    assert [r.key for r in diversify(candidates, {}, 3, 0.5)] == [1, 2, 3]
    assert diversify([], {}, 3, 0.5) == []


def test_hits_by_words_that_all_rows_have_are_dropped():
    found = ranking("keywords", [1, 2, 3], [1.6, 0.1, 2e-6])
    assert [c.key for c in drop_weak_keyword_hits(found)] == [1, 2]
    assert drop_weak_keyword_hits([]) == []


def test_a_ranking_counts_by_its_weight():
    rankings = {
        "pictures": ranking("pictures", [1, 2], [2, 1]),
        "words": ranking("words", [2], [1]),
    }
    assert [c.key for c in fuse(rankings)] == [2, 1]
    assert [c.key for c in fuse(rankings, {"words": 0.001})] == [1, 2]
    assert fuse(rankings, {"words": 0.5})[0].score <= 1
