from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.models.gate import NUM_GATE_FEATURES
from ravl.models.held_out import best_thresholds, log_loss, temperature_of, vote_gate
from ravl.models.vote import KS
from ravl.tasks.labels.choosing_examples import train_plus_validation
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.levels import fit_vote, linear_level
from tests.labelled import leak, shades
from tests.tasks.labels.test_dataset import grounded


@pytest.fixture
def data(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 80))
    with grounded(empty, tmp_path / "w") as (found, _):
        yield found


def test_what_is_chosen_by_is_training_and_validation_but_not_test(data):
    side = train_plus_validation(data)
    assert len(side) == len(data.train) + len(data.validation)
    tested = {row.id for row in data.test.examples.rows}
    assert not tested & {row.id for row in side.examples.rows}
    np.testing.assert_array_equal(
        side.neighbours.positions[: len(data.train)], data.train.neighbours.positions
    )
    assert len(side.examples.shown) == len(side.examples.groups) == len(side)


def test_the_vote_is_chosen_among_what_can_be(data):
    predictor = fit_vote(data)
    assert predictor.vote.k in KS
    assert predictor.head is None
    fixed = fit_vote(replace(data, settings=replace(data.settings, k=7)))
    assert fixed.vote.k == 7


def test_labels_too_rare_to_be_learned_may_vote(empty, tmp_path):
    """Only the memory knows them, so that the vote has more labels than were learned."""
    empty.add(shades(tmp_path / "pictures", 80))
    for i in range(0, 80, 8):
        empty.update(f"red_{i:03d}.png", label=f"rare {i}")
    with grounded(empty, tmp_path / "w", min_examples=5) as (data, _):
        assert not any(label.startswith("rare") for label in data.labels)
        predictor = fit_vote(data)
        assert predictor.calibration is not None
        assert 0 < predictor.calibration.right.mean() < 1


def test_the_linear_level_is_calibrated_on_what_it_has_not_seen(empty, tmp_path):
    """Labels by chance: a gate fitted to what was seen would be sure, and this one is not."""
    empty.add(leak(tmp_path / "leak"))
    with grounded(empty, tmp_path / "w") as (data, _):
        predictor = linear_level(data, fit_vote(data), *fit_head(data))
        assert predictor.calibration is not None
        assert predictor.calibration.right.mean() < 0.5
        testimony_free = predictor.without(data.test.queries)
        assert testimony_free.probabilities.max(1).mean() < 0.6
        assert predictor.calibration.threshold(0.05) > 1


def test_labels_travel_to_no_one_they_were_hidden_from(empty, tmp_path):
    """Propagation on random labels: whose label is hidden gains nothing by the graph."""
    some = leak(tmp_path / "leak")
    empty.add([replace(e, label=None) if int(str(e.columns["motif"])) % 2 else e for e in some])
    with grounded(empty, tmp_path / "w", propagate_labels="yes") as (data, _):
        predictor = linear_level(data, fit_vote(data), *fit_head(data))
        assert predictor.spread
        assert predictor.calibration is not None
        assert predictor.calibration.right.mean() < 0.5


def test_a_temperature_that_fits():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 900)
    logits = np.eye(3)[np.where(random.random(900) < 0.7, truth, (truth + 1) % 3)]
    targets = np.eye(3, dtype=np.float32)[truth]
    sharp, flat = (temperature_of((s * logits).astype(np.float32), targets, True) for s in (20, 1))
    assert sharp == pytest.approx(20 * flat, rel=0.15) or sharp == pytest.approx(10)
    assert sharp > 5 > 1 > flat


def test_a_vote_that_is_often_wrong_has_a_higher_floor():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 600)
    targets = np.eye(3, dtype=np.float32)[truth]
    noisy = np.eye(3, dtype=np.float32)[np.where(random.random(600) < 0.7, truth, 2 - truth)]
    low, high = vote_gate(targets, targets, True), vote_gate(noisy, targets, True)
    assert low.smoothing < high.smoothing
    assert low.weights.shape == (NUM_GATE_FEATURES,)
    assert low.class_prior.sum() == pytest.approx(1)


def test_thresholds_follow_the_tags():
    """One tag is given at 0.3 and more, the other at 0.7; of a rare one the common is taken."""
    p = np.random.default_rng(0).random((2000, 2)).astype(np.float32)
    targets = (p > [0.3, 0.7]).astype(np.float32)
    found = best_thresholds(p, targets)
    np.testing.assert_allclose(found, [0.3, 0.7], atol=0.05)
    rare = np.zeros((2000, 1), np.float32)
    rare[3] = 1
    three = best_thresholds(np.hstack([p, p[:, :1]]), np.hstack([targets, rare]))
    assert np.isfinite(three).all()
    one = best_thresholds(p[:, :1], 0 * targets[:, :1])
    assert 0 < one[0] < 1


def test_surprise_leaves_out_what_cannot_be_known(data):
    p = np.array([[0.9, 0.1], [0.5, 0.5]], np.float32)
    known = np.array([[1, 0], [0, 0]], np.float32)
    assert log_loss(p, known, data.task.exclusive) == pytest.approx(-np.log(0.9), rel=1e-5)
    assert log_loss(p, 0 * known, data.task.exclusive) == np.inf
