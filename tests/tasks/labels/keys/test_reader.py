from __future__ import annotations

import numpy as np
import pytest

from ravl.tasks.labels.keys.reader import log_likelihood, preferred_shares


def test_the_likelihood_of_a_label_and_of_all_tags():
    logits = np.log(np.array([[0.2, 0.8], [0.5, 0.5]], np.float32))
    targets = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(log_likelihood(logits, targets, True), np.log([0.2, 0.5]), rtol=1e-4)
    odds = np.log(np.array([[0.25, 4.0]], np.float32))  # 0.2 and 0.8
    both = log_likelihood(odds, np.array([[1, 0]], np.float32), False)
    np.testing.assert_allclose(both, 2 * np.log([0.2]), rtol=1e-4)


def test_an_answer_that_was_held_impossible_stays_finite():
    found = log_likelihood(
        np.array([[-1000, 1000]], np.float32), np.eye(2, dtype=np.float32)[:1], True
    )
    assert np.isfinite(found).all()


def test_shares_are_by_deviation_and_weights_by_how_much_the_reader_cares():
    gains = np.array([[0.5, -0.5, 0, 0], [0.05, -0.05, 0, 0]], np.float32)
    shares, weights = preferred_shares(gains, np.ones((2, 4), bool))
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-4)
    assert shares[0].argmax() == 0
    assert shares[0].argmin() == 1
    assert weights[0] == pytest.approx(10 * weights[1], rel=1e-4)


def test_an_indifferent_reader_has_no_weight():
    shares, weights = preferred_shares(np.full((1, 3), 0.7, np.float32), np.ones((1, 3), bool))
    np.testing.assert_allclose(shares, 1 / 3, rtol=1e-6)
    assert weights[0] == pytest.approx(0, abs=1e-6)


def test_neighbours_that_were_not_found_have_no_share():
    gains = np.array([[1.0, 2.0, 9.0], [1.0, 1.0, 1.0]], np.float32)
    found = np.array([[True, True, False], [False, False, False]])
    shares, weights = preferred_shares(gains, found)
    assert shares[0, 2] == 0
    assert shares[0].sum() == pytest.approx(1)
    assert shares[0, 1] > shares[0, 0]
    assert (shares[1] == 0).all()
    assert weights[1] == 0
