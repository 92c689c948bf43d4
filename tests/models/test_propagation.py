from __future__ import annotations

import numpy as np
import pytest

from ravl.encoders.base import normalise
from ravl.models.propagation import propagate


def clusters(n: int = 60, seed: int = 0):
    """Three clusters; of each cluster two rows have said what it is."""
    random = np.random.default_rng(seed)
    classes = np.arange(n) % 3
    keys = normalise(3 * random.normal(size=(3, 16))[classes] + random.normal(size=(n, 16)))
    said = np.zeros((n, 3), np.float32)
    said[:6] = np.eye(3)[classes[:6]]
    return keys.astype(np.float32), said, classes


def test_labels_reach_their_clusters():
    keys, said, classes = clusters()
    shares, worth = propagate(keys, said)
    assert (shares.argmax(1) == classes).mean() > 0.95
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-4)
    np.testing.assert_array_equal(shares[:6], said[:6])  # what was said stays
    assert (worth[:6] == 1).all()
    assert (worth > 0).all()


def test_what_nobody_near_has_said_stays_unsaid():
    keys = np.eye(8, dtype=np.float32)  # nothing is like anything
    said = np.zeros((8, 2), np.float32)
    said[0, 1] = 1
    shares, worth = propagate(keys, said)
    assert worth.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert (shares[1:] == 0).all()
    assert np.isfinite(shares).all()


def test_who_lies_between_is_believed_less():
    a, b = np.eye(2, 4, dtype=np.float32)
    keys = normalise(np.stack([a, b, a + 0.3 * b, a + b]))
    said = np.zeros((4, 2), np.float32)
    said[0, 0] = said[1, 1] = 1
    shares, worth = propagate(keys, said)
    assert shares[2, 0] > shares[3, 0]
    assert worth[2] > worth[3]


def test_frequent_labels_do_not_flood_the_others():
    keys, said, classes = clusters(90)
    said[::3] = [1, 0, 0]  # all of the first cluster has spoken, two of each other
    shares, _ = propagate(keys, said)
    assert (shares.argmax(1) == classes).mean() > 0.95


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_banks(n):
    keys, said, _ = clusters(n)
    shares, worth = propagate(keys, said)
    assert worth.tolist() == [1] * n
    shares, worth = propagate(keys, 0 * said)
    assert worth.tolist() == [0] * n
    assert (shares == 0).all()
