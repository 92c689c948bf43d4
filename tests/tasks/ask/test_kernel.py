"""Weights of neighbours that know of each other."""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import normalise
from ravl.tasks.ask.kernel import NEAREST, RIDGE, kernel, ridge_weights

WIDTH = 6


def parts(keys):
    return keys[..., :WIDTH], keys[..., WIDTH : 2 * WIDTH], keys[..., 2 * WIDTH :]


def random_keys(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.hstack([normalise(random.normal(size=(count, WIDTH))) for _ in range(3)]).astype(
        np.float32
    )


def test_it_is_the_ridge_regression_of_the_neighbours():
    keys, positions = random_keys(40), np.array([[3, 9, 1, 30]])
    found = ridge_weights(keys[:1], positions, keys.__getitem__, parts)
    rows = parts(keys[positions[0]])
    among = kernel(rows, rows) + RIDGE * np.eye(4)
    looked = kernel(parts(keys[:1]), rows)[0]
    expected = np.maximum(np.linalg.inv(among) @ looked, 0)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_a_question_with_itself_is_two():
    keys = random_keys(3)
    np.testing.assert_allclose(np.diag(kernel(parts(keys), parts(keys))), 2, rtol=1e-5)


def test_what_is_said_twice_counts_little_more_than_once():
    keys = random_keys(3, seed=4)
    rows = np.vstack([keys[[1]], np.repeat(keys[[2]], 9, axis=0)])
    query = (keys[[1]] + keys[[2]]) / 2
    one = ridge_weights(query, np.array([[0, 1]]), rows.__getitem__, parts)[0]
    many = ridge_weights(query, np.arange(10)[None], rows.__getitem__, parts)[0]
    assert one[1] < many[1:].sum() < 2 * one[1]
    np.testing.assert_allclose(many[1:], many[1], atol=1e-5)


def test_places_without_a_neighbour_have_no_weight():
    keys = random_keys(10)
    some = ridge_weights(keys[:1], np.array([[2, 3]]), keys.__getitem__, parts)
    more = ridge_weights(keys[:1], np.array([[2, 3, -1, -1]]), keys.__getitem__, parts)
    np.testing.assert_allclose(more[:, :2], some, atol=1e-6)
    assert not more[:, 2:].any()
    assert ridge_weights(keys[:2], np.zeros((2, 0), np.int64), keys.__getitem__, parts).size == 0


def test_only_the_nearest_are_weighed_in_any_number_of_queries():
    keys = random_keys(NEAREST + 100)
    positions = np.stack([np.random.default_rng(i).permutation(len(keys)) for i in range(70)])
    found = ridge_weights(keys[:70], positions, keys.__getitem__, parts)
    assert found.shape == positions.shape
    assert not found[:, NEAREST:].any()
    assert (found >= 0).all()
    alone = ridge_weights(keys[69:70], positions[69:, :NEAREST], keys.__getitem__, parts)
    np.testing.assert_allclose(found[69, :NEAREST], alone[0], atol=1e-5)
