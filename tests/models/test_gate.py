from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ravl.models.gate import (
    NUM_GATE_FEATURES,
    SMOOTHING,
    Gate,
    fit_gate,
    gate_features,
    probabilities,
)
from ravl.models.held_out import with_floor

CLASSES = 4
World = tuple[Any, Any, Any, Any]  # votes, logits, similarity, targets


def split_world(n: int = 400, seed: int = 0, exclusive: bool = True) -> World:
    """Where similarity is high the votes are right, elsewhere the model; both are always sure."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, CLASSES, n)
    wrong = (truth + random.integers(1, CLASSES, n)) % CLASSES
    near = random.random(n) < 0.5
    similarity = np.where(near, 0.9, 0.1).astype(np.float32)
    noise = random.random(n) < 0.05
    eye = np.eye(CLASSES, dtype=np.float32)
    votes = eye[np.where(near ^ noise, truth, wrong)]
    logits = 4 * eye[np.where(near ^ noise, wrong, truth)] - (0 if exclusive else 2)
    return votes, logits.astype(np.float32), similarity, eye[truth]


def likelihood(found, targets, exclusive: bool = True) -> float:
    p = np.clip(found, 1e-6, 1 - 1e-6)
    if exclusive:
        return float((targets * np.log(p)).sum(1).mean())
    return float((targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())


@pytest.fixture
def gate() -> Gate:
    return fit_gate(*split_world(), True)


def test_the_mixture_is_a_distribution(gate):
    random = np.random.default_rng(3)
    votes = random.dirichlet(np.ones(CLASSES), 50).astype(np.float32)
    logits = random.normal(0, 9, (50, CLASSES)).astype(np.float32)
    mixed, share, smoothed_votes, own = gate(votes, logits, random.random(50).astype(np.float32))
    for p in (mixed, smoothed_votes, own):
        np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
        assert (p > 0).all()
    assert ((share > 0) & (share < 1)).all()
    np.testing.assert_allclose(
        mixed, share[:, None] * smoothed_votes + (1 - share[:, None]) * own, atol=1e-6
    )


@pytest.mark.parametrize("exclusive", [True, False])
def test_it_is_likelier_than_both_alone(exclusive):
    fitted = fit_gate(*split_world(exclusive=exclusive), exclusive)
    votes, logits, similarity, targets = split_world(seed=1, exclusive=exclusive)
    mixed, share, smoothed_votes, own = fitted(votes, logits, similarity)
    alone = max(likelihood(smoothed_votes, targets, exclusive), likelihood(own, targets, exclusive))
    assert likelihood(mixed, targets, exclusive) > alone + 0.1
    assert (mixed.argmax(1) == targets.argmax(1)).mean() > 0.9
    assert max((p.argmax(1) == targets.argmax(1)).mean() for p in (smoothed_votes, own)) < 0.6
    assert share[similarity > 0.5].mean() > 0.75
    assert share[similarity < 0.5].mean() < 0.25


def test_without_voters_the_model_answers_alone(gate):
    votes, logits, similarity, _ = split_world(20)
    votes[::2] = 0
    mixed, share, _, own = gate(votes, logits, similarity)
    assert (share[::2] == 0).all()
    assert (share[1::2] > 0).all()
    np.testing.assert_allclose(mixed[::2], own[::2], atol=1e-6)


def test_a_vote_that_is_always_wrong_is_not_listened_to():
    votes, _, similarity, targets = split_world()
    votes, logits = np.roll(targets, 1, axis=1), 4 * targets
    gate = fit_gate(votes, logits, similarity, targets, exclusive=True)
    mixed, share, _, own = gate(votes, logits, similarity)
    assert share.mean() < 0.15
    assert likelihood(mixed, targets) > likelihood(own, targets) - 0.1


@pytest.mark.parametrize("scale", [3, 12])
def test_a_model_that_is_too_sure_is_calibrated(scale):
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, 600)
    said = np.where(random.random(600) < 0.7, truth, random.integers(0, CLASSES, 600))
    eye = np.eye(CLASSES, dtype=np.float32)
    votes, logits = np.full((600, CLASSES), 0.25, np.float32), scale * eye[said]
    similarity = np.full(600, 0.5, np.float32)
    gate = fit_gate(votes, logits, similarity, eye[truth], True)
    sure = gate(votes, logits, similarity)[0].max(1).mean()
    assert sure == pytest.approx((said == truth).mean(), abs=0.03)
    assert probabilities(logits, True).max(1).mean() > 0.84  # before


def test_labels_that_the_model_does_not_know_teach_nothing(gate):
    votes, logits, similarity, targets = split_world()
    more = fit_gate(
        np.vstack([votes, votes[:50]]),
        np.vstack([logits, logits[:50]]),
        np.concatenate([similarity, similarity[:50]]),
        np.vstack([targets, 0 * targets[:50]]),
        True,
    )
    np.testing.assert_allclose(more.weights, gate.weights, atol=0.02)
    assert more.temperature == pytest.approx(gate.temperature, abs=0.02)


@pytest.mark.parametrize("exclusive", [True, False])
def test_nothing_to_fit_to_leaves_it_in_the_middle(exclusive):
    nothing = np.zeros((0, CLASSES), np.float32)
    gate = fit_gate(nothing, nothing, np.zeros(0, np.float32), nothing, exclusive)
    mixed, share, _, _ = gate(*split_world(5)[:3])
    assert np.isfinite(mixed).all()
    np.testing.assert_allclose(share, 0.5)
    votes, logits, similarity, targets = split_world(9)
    unknown = fit_gate(votes, logits, similarity, 0 * targets, True)
    assert np.isfinite(unknown(*split_world(5)[:3])[0]).all()


def test_smooth_votes_leave_nothing_impossible():
    rates = np.array([0.7, 0.1, 0.1, 0.1], np.float32)
    gate = Gate(True, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, 0.1, rates)
    votes = np.array([[0, 2, 0, 0], [0, 0, 0, 0]], np.float32)  # of any sum
    expected = [[0.07, 0.91, 0.01, 0.01], rates.tolist()]
    np.testing.assert_allclose(gate.smoothed_votes(votes), expected, rtol=1e-5)
    tags = Gate(False, gate.weights, 1.0, 0.1, rates)
    expected[0][1] = 0.46
    np.testing.assert_allclose(
        tags.smoothed_votes((votes / 4).astype(np.float32)), expected, rtol=1e-5
    )


def equals(n: int = 200) -> World:
    """Vote and model say nearly the same, and are right as often as they are sure."""
    random = np.random.default_rng(5)
    both: Any = random.normal(0, 2, (n, CLASSES))
    own, other = (probabilities(both + random.normal(0, 0.3, both.shape), True) for _ in range(2))
    chances = probabilities(both, True).cumsum(1)
    truth = (random.random((n, 1)) > chances).sum(1).clip(0, CLASSES - 1)
    eye = np.eye(CLASSES, dtype=np.float32)
    return own, np.log(other), np.full(n, 0.9, np.float32), eye[truth]


def test_what_held_out_answers_cannot_tell_apart_is_the_memorys():
    world = equals()
    plain = fit_gate(*world, True)
    found = with_floor(plain, *world)
    assert plain.floor == 0 < found.floor
    weights = found(*world[:3])[1]
    assert (weights >= found.floor - 1e-6).all()
    empty = np.zeros_like(world[0][:2])  # where nobody votes there is no least weight
    assert not found(empty, world[1][:2], world[2][:2])[1].any()


def test_a_memory_that_is_clearly_worse_gets_no_floor(gate):
    votes, logits, similarity, targets = split_world()
    wrong = np.roll(targets, 1, axis=1).astype(np.float32)
    plain = fit_gate(wrong, 6 * targets, similarity, targets, True)
    assert with_floor(plain, wrong, 6 * targets, similarity, targets).floor == 0
    nothing = np.zeros((0, CLASSES), np.float32)
    alone = with_floor(gate, nothing, nothing, np.zeros(0, np.float32), nothing)
    assert alone.floor == 0  # no example, no evidence


def test_a_memory_that_has_grown_counts_for_more(gate):
    votes, logits, similarity, _ = split_world(20)
    rows = np.full(CLASSES, 10, np.float32)
    growing = replace(gate, growth=1.0, counts=rows)
    before = growing(votes, logits, similarity, rows)[1]
    np.testing.assert_allclose(before, gate(votes, logits, similarity)[1], atol=1e-5)
    np.testing.assert_allclose(before, growing(votes, logits, similarity)[1], atol=1e-5)
    assert (growing(votes, logits, similarity, 20 * rows)[1] > before).all()
    assert (growing(votes, logits, similarity, rows / 5)[1] < before).all()
    only = rows.copy()
    only[2] *= 50  # one label alone has more rows
    after = growing(votes, logits, similarity, only)[1]
    more = (after - before) > 0.05 * (1 - before)
    assert more[votes.argmax(1) == 2].all()
    assert not more[votes.argmax(1) != 2].any()


def test_a_gate_of_before_has_neither_floor_nor_growth(gate):
    arrays = gate.arrays()
    old = {name: arrays[name] for name in ("weights", "rates")} | {"numbers": arrays["numbers"][:3]}
    again = Gate.from_arrays(old)
    assert (again.floor, again.growth, len(again.counts)) == (0.0, 0.0, 0)


def test_arrays_and_back(gate):
    gate = replace(gate, floor=0.25, growth=0.5, counts=np.arange(CLASSES, dtype=np.float32))
    again = Gate.from_arrays(gate.arrays())
    assert again.exclusive is True
    for mine, theirs in zip(again(*split_world(9)[:3]), gate(*split_world(9)[:3]), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert (again.floor, again.growth) == (0.25, 0.5)
    assert again.counts.tolist() == gate.counts.tolist()
    assert gate.smoothing == pytest.approx(again.smoothing, abs=1e-6)
    assert gate.smoothing != SMOOTHING  # it was fitted


def test_signs_and_probabilities():
    votes, own = np.array([[0.2, 0.8]], np.float32), np.array([[0.9, 0.1]], np.float32)
    np.testing.assert_allclose(
        gate_features(votes, own, np.array([0.75], np.float32)),
        [[1, 0.5, 0.6, 0.8, 0, 0.1, 0.2]],
        atol=1e-6,
    )
    huge = np.array([[1e4, -1e4, 0]], np.float32)
    np.testing.assert_allclose(probabilities(huge, True), [[1, 0, 0]])
    np.testing.assert_allclose(probabilities(huge, False), [[1, 0, 0.5]], atol=1e-6)
