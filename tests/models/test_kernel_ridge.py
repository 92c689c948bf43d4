"""The weights of kernel ridge regression: exact, and small where many neighbours say the same."""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import normalise
from ravl.models.kernel_ridge import RIDGE, ridge_weights


def test_conjugate_gradients_find_the_exact_solution() -> None:
    random = np.random.default_rng(0)
    keys = normalise(random.normal(size=(200, 16)).astype(np.float32))
    query = normalise(random.normal(size=(1, 16)).astype(np.float32))[0]
    kernel = np.exp(keys.astype(np.float64) @ keys.T - 1) + RIDGE * np.eye(200)
    exact = np.linalg.solve(kernel, np.exp(keys @ query - 1))
    np.testing.assert_allclose(ridge_weights(keys, query), exact, atol=1e-4)


def test_what_many_neighbours_show_does_not_count_many_times() -> None:
    one, other = np.eye(2, dtype=np.float32)
    keys = np.stack([one] * 20 + [other])
    weights = ridge_weights(keys, normalise((one + other)[None])[0])
    assert weights[:20].sum() < 5 * weights[20]
    assert weights[0] < weights[20]


def test_without_neighbours_there_are_no_weights() -> None:
    assert ridge_weights(np.zeros((0, 4), np.float32), np.ones(4, np.float32)).shape == (0,)
