from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.errors import DataError
from ravl.evaluation import Bin, calibration_curve
from ravl.evaluation.calibration import calibration_error, coverage_at_risk

ANSWERS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


def arrays(confidence, right) -> tuple[np.ndarray, np.ndarray]:
    return np.array(confidence, float), np.array(right, bool)


def once(make, confidence, right, *args):
    sure, correct = arrays(confidence, right)
    if make is calibration_error:
        args = (np.arange(len(sure)), *args)
    return make(sure, correct, *args)(np.ones(len(sure)))


def test_bins_by_hand():
    curve = calibration_curve(*arrays([0.9, 0.2, 0.4, 0.7], [1, 0, 1, 1]), bins=2)
    assert [(b.accuracy, b.count) for b in curve] == [(0.5, 2), (1, 2)]
    assert [b.confidence for b in curve] == pytest.approx([0.3, 0.8])
    curve = calibration_curve(*arrays([0.1, 0.2, 0.3], [0, 0, 1]))
    assert [b.count for b in curve] == [1, 1, 1]


def test_equal_confidences_are_not_parted():
    assert calibration_curve(*arrays([0.75] * 8, [1, 1, 1, 1, 1, 1, 0, 0])) == [Bin(0.75, 0.75, 8)]
    # 5 of 10 belong together, and the middle of them lies in the second of four bins
    curve = calibration_curve(*arrays([0.1, 0.2] + [0.5] * 5 + [0.8, 0.9, 1.0], [1] * 10), bins=4)
    assert [b.count for b in curve] == [2, 5, 3]


def test_errors_by_hand():
    assert once(calibration_error, [0.75] * 4, [1, 1, 1, 0]) == 0
    assert once(calibration_error, [1.0] * 4, [1, 0, 1, 0]) == 0.5
    # Two bins: 0.3 said and 0.5 right, 0.8 said and 1 right.
    error = once(calibration_error, [0.9, 0.2, 0.4, 0.7], [1, 0, 1, 1], 2)
    assert error == pytest.approx(0.2)
    # One bin each: 0.1 too low, 0.2 and 0.6 too high, 0.3 too low
    assert once(calibration_error, [0.9, 0.2, 0.6, 0.7], [1, 0, 0, 1]) == pytest.approx(0.3)


@given(ANSWERS, st.integers(1, 20), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_error_is_that_of_the_curve_in_any_order(answers, bins, random):
    sure, correct = arrays(*zip(*answers, strict=True))
    sure /= 8
    curve = calibration_curve(sure, correct, bins)
    assert sum(b.count for b in curve) == len(answers)
    assert len(curve) <= bins
    expected = sum(b.count * abs(b.confidence - b.accuracy) for b in curve) / len(answers)
    order = list(range(len(answers)))
    random.shuffle(order)
    error = once(calibration_error, sure[order], correct[order], bins)
    assert error == pytest.approx(expected)


def test_bins_without_ties_are_equally_full():
    random = np.random.default_rng(0)
    curve = calibration_curve(random.random(150), random.random(150) < 0.5, 15)
    assert [b.count for b in curve] == [10] * 15
    assert all(a.confidence < b.confidence for a, b in pairwise(curve))


def test_the_calibrated_have_a_small_error():
    random = np.random.default_rng(0)
    sure = random.random(50_000)
    right = random.random(50_000) < sure
    assert once(calibration_error, sure, right) < 0.02
    assert once(calibration_error, sure**0.5, right) > 0.1


def test_coverage_by_hand():
    sure = np.linspace(1, 0.5, 40)
    right = np.ones(40, bool)
    assert once(coverage_at_risk, sure, right) == 1
    right[19] = False  # 1 in 20 is 5 %
    assert once(coverage_at_risk, sure, right) == 1
    right[25] = right[26] = False
    assert once(coverage_at_risk, sure, right) == 25 / 40
    assert once(coverage_at_risk, sure, right, 0.1) == 1
    right[0] = False  # the share falls to 5 % nowhere: 4 of 40 are wrong, and 2 of 25
    assert once(coverage_at_risk, sure, right) == 0


def test_a_later_share_counts_too():
    sure = np.linspace(1, 0.5, 30)
    right = np.arange(30) != 0  # the most confident one is wrong
    assert once(coverage_at_risk, sure, right) == 1


def test_equally_confident_answers_are_taken_together():
    assert once(coverage_at_risk, [0.9, 0.9, 0.5], [1, 0, 0]) == 0
    assert once(coverage_at_risk, [0.9, 0.9, 0.5], [1, 1, 0]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("confidence", "right", "bins", "message"),
    [
        ([], [], 10, "at least one"),
        ([0.5], [1, 0], 10, r"confidences \(1,\) as answers \(2,\)"),
        ([1.5], [1], 10, "between 0 and 1"),
        ([np.nan], [1], 10, "between 0 and 1"),
        ([0.5], [1], 0, "at least 1 bin"),
    ],
)
def test_what_is_no_curve(confidence, right, bins, message):
    with pytest.raises(DataError, match=message):
        calibration_curve(*arrays(confidence, right), bins)
