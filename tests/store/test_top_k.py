from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.store import top_k as module
from ravl.store.top_k import top_k


def brute_force(matrix, queries, k, allowed=None, offset=0):
    scores = queries @ matrix.astype(np.float32).T + offset
    if allowed is not None:
        barred = np.setdiff1d(np.arange(len(matrix)), allowed)
        scores[:, barred] = -np.inf
        k = min(k, len(allowed))
    order = np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(matrix))]
    return np.take_along_axis(scores, order, 1), order


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("count", [1, 5, 63, 64, 65, 1000, 40_000])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_finds_what_a_full_sort_finds(dtype, count, k):
    rng = np.random.default_rng(count + k)
    matrix = rng.normal(size=(count, 16)).astype(dtype)
    queries = rng.normal(size=(3, 16)).astype(np.float32)
    scores, positions = top_k(matrix, queries, k)
    expected_scores, expected = brute_force(matrix, queries, k)
    assert scores.shape == positions.shape == (3, min(k, count))
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    np.testing.assert_array_equal(positions, expected)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_is_exact_under_any_filter(data):
    count = data.draw(st.integers(1, 3000))
    allowed = np.array(
        sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=400))), dtype=np.int64
    )
    k = data.draw(st.integers(1, 30))
    rng = np.random.default_rng(count)
    matrix = rng.normal(size=(count, 8)).astype(np.float32)
    queries = rng.normal(size=(2, 8)).astype(np.float32)
    scores, positions = top_k(matrix, queries, k, allowed)
    expected_scores, expected = brute_force(matrix, queries, k, allowed)
    assert positions.shape == (2, min(k, len(allowed)))
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(positions, expected)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_is_exact_with_an_offset(data):
    count = data.draw(st.integers(1, 20_000))
    k = data.draw(st.integers(1, 30))
    rng = np.random.default_rng(count)
    some = np.flatnonzero(rng.random(count) < data.draw(st.sampled_from([0.01, 0.5])))
    allowed = data.draw(st.sampled_from([None, some]))
    dtype = data.draw(st.sampled_from([np.float32, np.float16]))
    matrix = rng.normal(size=(count, 8)).astype(dtype)
    queries = rng.normal(size=(2, 8)).astype(np.float32)
    offset = (3 * rng.normal(size=count)).astype(np.float32)
    scores, positions = top_k(matrix, queries, k, allowed, offset)
    expected_scores, expected = brute_force(matrix, queries, k, allowed, offset)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(positions, expected)


def test_many_blocks_and_many_queries(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 100)
    monkeypatch.setattr(module, "QUERIES", 7)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1234, 8)).astype(np.float32)
    queries = rng.normal(size=(40, 8)).astype(np.float32)
    scores, positions = top_k(matrix, queries, 9)
    expected_scores, expected = brute_force(matrix, queries, 9)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    np.testing.assert_array_equal(positions, expected)


def test_equal_scores_give_each_position_once():
    matrix = np.ones((500, 4), np.float32)
    _, positions = top_k(matrix, np.ones((1, 4), np.float32), 50)
    assert len(set(positions[0].tolist())) == 50


def test_nothing_to_choose_from():
    scores, positions = top_k(np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32), 5)
    assert scores.shape == positions.shape == (2, 0)
