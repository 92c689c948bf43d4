"""The gate learns from smaller memories what a larger one is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.models.gate import NUM_GATE_FEATURES, Gate
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.levels import fit_vote, linear_level
from ravl.tasks.labels.memory_size import (
    SHARES,
    USUAL,
    Sized,
    best_growth,
    known_counts,
    with_growth,
)
from ravl.tasks.labels.votes import LabelMatrix
from tests.tasks.labels.test_levels import data

__all__ = ["data"]


@pytest.fixture
def linear(data):
    head, logits = fit_head(data)
    return linear_level(data, fit_vote(data), head, logits), logits


def test_at_the_size_of_the_fit_nothing_changes(data, linear):
    level, logits = linear
    grown = with_growth(data, level, logits)
    assert grown.gate.growth >= 0
    np.testing.assert_array_equal(grown.gate.counts, known_counts(data))
    matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    side = data.test
    before, after = (p.answer(side.queries, matrix, side.neighbours) for p in (level, grown))
    np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-5)


def test_the_memory_grows_where_more_rows_help():
    assert growth_if((0.95, 0.7, 0.4)) > growth_if((0.7, 0.7, 0.7)) + 0.1


def growth_if(right: tuple[float, ...]) -> float:
    """The exponent where whole, half and quarter memory are right so often, the model in 70 %."""
    random, labels, n = np.random.default_rng(0), 4, 200
    truth = random.integers(labels, size=n)
    targets = np.eye(labels, dtype=np.float32)[truth]
    rows = np.full(labels, 40, np.float32)
    sizes = []
    for share, rate in zip(SHARES, right, strict=True):
        known = random.random(n) < rate
        said = np.where(known, truth, random.integers(labels, size=n))
        votes = 0.9 * np.eye(labels, dtype=np.float32)[said] + 0.1 / labels
        sizes.append(Sized(votes.astype(np.float32), np.ones(n, np.float32), share * rows))
    known = random.random(n) < 0.7
    logits = 4 * np.eye(labels, dtype=np.float32)[np.where(known, truth, (truth + 1) % labels)]
    flat = np.zeros(NUM_GATE_FEATURES, np.float32)
    gate = Gate(True, flat, 1.0, 0.02, targets.mean(0), counts=rows)
    return best_growth(gate, sizes, logits, targets)


def test_where_labels_travel_the_usual_growth_is_taken(data, linear):
    level, logits = linear
    spread = with_growth(data, replace(level, spread=True), logits)
    assert spread.gate.growth == USUAL
