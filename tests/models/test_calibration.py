from __future__ import annotations

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.models.calibration import KEPT, RiskCalibrator, upper_bound

NONE = pytest.approx(1.01)


def draw(n: int, seed: int, levels: int = 0):
    """Confidences that tell the truth, in few steps or smooth."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1.0, n)
    if levels:
        confidence = np.round(confidence * levels) / levels
    right = (random.random(n) < confidence).astype(np.float32)
    return confidence.astype(np.float32), right


@pytest.mark.parametrize("levels", [0, 8])
@pytest.mark.parametrize("risk", [0.05, 0.2])
def test_the_promised_risk_is_kept(risk, levels):
    world_confidence, world_right = draw(100_000, 999, levels)
    kept, answered = [], []
    for seed in range(200):
        limit = RiskCalibrator.of(*draw(400, seed, levels)).threshold(risk)
        given = world_confidence >= limit
        kept.append(not given.any() or 1 - world_right[given].mean() <= risk)
        answered.append(given.mean())
    assert np.mean(kept) >= 0.85
    if risk == 0.2:
        assert np.mean(answered) > 0.3  # it is no promise to say nothing


def test_equal_confidences_stand_and_fall_together():
    """Sorted as they came the right ones may be first; but all of them are answered."""
    right = np.repeat([1.0, 0.0], [200, 200]).astype(np.float32)
    assert RiskCalibrator.of(np.full(400, 0.9), right).threshold(0.1) == NONE
    assert RiskCalibrator.of(np.full(400, 0.9), right).threshold(0.6) == pytest.approx(0.9)


def test_what_cannot_be_promised():
    assert RiskCalibrator.of(np.full(5, 0.9), np.ones(5)).threshold(0.05) == NONE  # too few
    assert RiskCalibrator.of(np.full(400, 0.9), np.zeros(400)).threshold(0.5) == NONE
    assert RiskCalibrator.of(np.zeros(0), np.zeros(0)).threshold(0.5) == NONE
    assert RiskCalibrator.of(np.full(400, 0.9), np.ones(400)).threshold(0.05) < 1


def test_a_smaller_risk_asks_for_more():
    calibration = RiskCalibrator.of(*draw(2000, 0))
    limits = [calibration.threshold(risk) for risk in (0.4, 0.2, 0.1, 0.05)]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]


@pytest.mark.parametrize("risk", [0, 1, -0.1, 3, float("nan")])
def test_a_risk_is_between_0_and_1(risk):
    with pytest.raises(DataError, match=r"The risk is .*; it must lie between 0 and 1"):
        RiskCalibrator.of(*draw(9, 0)).threshold(risk)


def test_very_many_examples_are_thinned_out():
    confidence, right = draw(3 * KEPT, 0)
    calibration = RiskCalibrator.of(confidence, right)
    assert len(calibration.right) == KEPT
    assert (np.diff(calibration.confidence) <= 0).all()
    assert calibration.right.mean() == pytest.approx(right.mean(), abs=0.01)


def test_the_bound_of_clopper_and_pearson():
    assert upper_bound(0, 10, 0.05) == pytest.approx(1 - 0.05 ** (1 / 10))
    assert upper_bound(10, 10, 0.05) == 1
    assert upper_bound(3, 10, 0.05) > 0.3
