from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.encoders.base import normalise
from ravl.errors import DataError
from ravl.evaluation import (
    early_recall,
    precision_at,
    ranks_of_relevant,
    retrieval,
    retrieval_differences,
    retrieval_scores,
)

SCORES = ["R@1", "R@5", "R@10", "median_rank", "MRR", "nDCG@10"]


def at(*positions: int) -> np.ndarray:
    return np.array(positions, np.int64)


def line(*scores: float) -> tuple[np.ndarray, np.ndarray]:
    """A query and items that have these scores."""
    return np.ones((1, 1), np.float32), np.array(scores, np.float32)[:, None]


def ranks(*scores: float, relevant, exclude=None, offset=None) -> list[int]:
    query, items = line(*scores)
    (found,) = ranks_of_relevant(query, items, [at(*relevant)], exclude, offset)
    assert found.dtype == np.int64
    return [int(rank) for rank in found]


def random(seed: int, *shape: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).normal(size=shape))


def test_ranks_by_hand():
    assert ranks(0.9, 0.1, 0.5, 0.7, relevant=[2]) == [3]
    assert ranks(0.9, 0.1, 0.5, 0.7, relevant=[1, 0]) == [1, 4]
    assert ranks(0.9, 0.1, relevant=[]) == []
    assert ranks(0.9, 0.1, relevant=[1, 1]) == [2]


def test_ties_count_against_us():
    assert ranks(0.5, 0.5, 0.5, 0.1, relevant=[0]) == [3]
    assert ranks(0.5, 0.5, 0.1, relevant=[0, 1]) == [2, 2]
    equal = np.repeat(random(0, 1, 64), 203, axis=0)
    found = ranks_of_relevant(random(1, 50, 64), equal, [at(i) for i in range(50)])
    assert {int(r[0]) for r in found} == {203}
    assert retrieval_scores(found)["R@10"].value == 0


def test_excluded_items_are_not_ranked():
    assert ranks(0.9, 0.8, 0.7, relevant=[2], exclude=at(0)) == [2]
    assert ranks(0.9, 0.8, 0.7, relevant=[2], exclude=at(-1)) == [3]
    assert ranks(0.9, 0.8, 0.7, relevant=[0, 2], exclude=at(0)) == [2]


def test_offsets_are_added():
    offset = np.array([-1, 0, 0], np.float32)
    assert ranks(0.9, 0.8, 0.7, relevant=[0], offset=offset) == [3]
    assert ranks(0.9, 0.8, 0.7, relevant=[2], offset=offset) == [2]


@st.composite
def searches(draw):
    q, n = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    small = st.integers(-3, 3)
    queries = draw(st.lists(st.tuples(small, small), min_size=q, max_size=q))
    items = draw(st.lists(st.tuples(small, small), min_size=n, max_size=n))
    relevant = [sorted(draw(st.sets(st.integers(0, n - 1)))) for _ in range(q)]
    exclude = draw(st.none() | st.lists(st.integers(-1, n - 1), min_size=q, max_size=q))
    offset = draw(st.none() | st.lists(small, min_size=n, max_size=n))
    return queries, items, relevant, exclude, offset


@given(searches(), st.sampled_from([1, 20, 10**6]), st.sampled_from([0, 100]))
@settings(max_examples=150, deadline=None)
def test_ranks_are_those_of_brute_force(search, block, few):
    queries, items, relevant, exclude, offset = search
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "SCORES", block)
        patch.setattr(retrieval, "FEW", few)
        found = ranks_of_relevant(
            np.array(queries, np.float32),
            np.array(items, np.float32),
            [at(*r) for r in relevant],
            None if exclude is None else at(*exclude),
            None if offset is None else np.array(offset, np.float32),
        )
    for i, (a, b) in enumerate(queries):
        out = -1 if exclude is None else exclude[i]
        scores = {
            j: a * x + b * y + (offset[j] if offset else 0)
            for j, (x, y) in enumerate(items)
            if j != out
        }
        expected = sorted(
            1 + sum(scores[o] >= scores[j] for o in scores if o != j)
            for j in relevant[i]
            if j in scores
        )
        assert found[i].tolist() == expected


def test_counting_and_sorting_agree(monkeypatch):
    queries, items = random(0, 40, 16), random(1, 700, 16)
    relevant = [np.arange(i, i + 150) for i in range(40)]
    sorted_ones = ranks_of_relevant(queries, items, relevant)
    monkeypatch.setattr(retrieval, "FEW", 1000)
    for a, b in zip(sorted_ones, ranks_of_relevant(queries, items, relevant), strict=True):
        assert a.tolist() == b.tolist()


def test_scores_by_hand():
    scores = retrieval_scores([at(1, 3), at(4), at(11, 20), at(6)])
    assert list(scores) == SCORES
    value = {name: score.value for name, score in scores.items()}
    assert value["R@1"] == 0.25
    assert value["R@5"] == 0.5
    assert value["R@10"] == 0.75
    assert value["median_rank"] == 5
    assert value["MRR"] == pytest.approx((1 + 1 / 4 + 1 / 11 + 1 / 6) / 4)
    first = (1 + 1 / 2) / (1 + 1 / math.log2(3))
    gains = [first, 1 / math.log2(5), 0, 1 / math.log2(7)]
    assert value["nDCG@10"] == pytest.approx(sum(gains) / 4)


def test_the_ideal_fills_the_first_ten():
    assert retrieval_scores([np.arange(1, 31)])["nDCG@10"].value == pytest.approx(1)


def test_groups_widen_the_interval():
    found = [at(1 if i // 20 % 2 else 9) for i in range(400)]
    alone = retrieval_scores(found)["R@1"]
    together = retrieval_scores(found, np.arange(400) // 20)["R@1"]
    assert alone.value == together.value == 0.5
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_differences():
    before, after = [at(5), at(2), at(30)], [at(1), at(2), at(8)]
    differences = retrieval_differences(after, before)
    assert list(differences) == SCORES
    assert differences["R@1"].value == pytest.approx(1 / 3)
    assert differences["median_rank"].value == -3


def test_a_query_without_relevant_items_is_refused():
    with pytest.raises(DataError, match=r"2 queries have no relevant item, the first is number 1"):
        retrieval_scores([at(1), at(), at()])
    with pytest.raises(DataError, match="no score without queries"):
        retrieval_scores([])


def precision(*scores: float, labels, k, exclude=None) -> float:
    query, items = line(*scores)
    (share,) = precision_at(query, items, np.array(["a"]), np.array(list(labels)), k, exclude)
    return float(share)


def test_precision_by_hand():
    assert precision(0.9, 0.8, 0.7, 0.6, labels="abab", k=3) == pytest.approx(2 / 3)
    assert precision(0.9, 0.8, 0.7, 0.6, labels="abab", k=1) == 1
    assert precision(0.9, 0.8, 0.7, 0.6, labels="abaa", k=2, exclude=at(0)) == 0.5
    assert precision(0.9, 0.8, labels="bb", k=2) == 0


def test_the_wrong_come_first_among_equals():
    assert precision(0.5, 0.5, 0.5, 0.1, labels="aaba", k=1) == 0
    assert precision(0.5, 0.5, 0.5, 0.1, labels="aaba", k=2) == 0.5
    assert precision(0.9, 0.5, 0.5, 0.1, labels="aaba", k=2) == 0.5


@given(searches(), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_precision_is_that_of_brute_force(search, k):
    queries, items, _, exclude, _ = search
    labels_q = np.array([a % 2 for a, _ in queries])
    labels_i = np.array([x % 2 for x, _ in items])
    arrays = np.array(queries, np.float32), np.array(items, np.float32), labels_q, labels_i
    out = None if exclude is None else at(*exclude)
    ranked = len(items) - (exclude is not None and max(exclude) >= 0)
    if k > ranked:
        with pytest.raises(DataError, match="There are no first"):
            precision_at(*arrays, k, out)
        return
    shares = precision_at(*arrays, k, out)
    for i, (a, b) in enumerate(queries):
        line = sorted(
            (-(a * x + b * y), bool(labels_i[j] == labels_q[i]))
            for j, (x, y) in enumerate(items)
            if exclude is None or j != exclude[i]
        )
        assert shares[i] == pytest.approx(sum(right for _, right in line[:k]) / k)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": np.ones((3, 5), np.float32)}, "different dimensions"),
        ({"relevant": [at(0)]}, "2 queries have 1 lists"),
        ({"relevant": [at(0), at(3)]}, "not one of the 3 items"),
        ({"relevant": [at(0), at(-1)]}, "not one of the 3 items"),
        ({"exclude": at(0)}, "2 queries have 1 positions"),
        ({"exclude": at(0, 3)}, "to exclude is neither -1"),
        ({"offset": np.ones(2, np.float32)}, "offsets of shape"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    fits = {
        "queries": np.ones((2, 4), np.float32),
        "items": np.ones((3, 4), np.float32),
        "relevant": [at(0), at(1)],
    }
    with pytest.raises(DataError, match=message):
        ranks_of_relevant(**{**fits, **change})


def test_early_recall_counts_the_first_ten_and_the_first_tenth_of_few():
    of_texts, of_pictures = [at(1), at(9, 12), at(11)], [at(10), at(30)]
    assert early_recall((of_texts, of_pictures), 100) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert early_recall((of_texts, of_pictures), 5) == pytest.approx((1 / 3 + 0) / 2)
