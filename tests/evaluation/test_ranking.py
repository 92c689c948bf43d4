from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics  # type: ignore[import-untyped, unused-ignore]

from ravl.evaluation.ranking import area_under_curve, average_precision

# Whole scores have many ties; the last number is how often the example was drawn.
EXAMPLES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=30
)


@given(EXAMPLES)
@settings(max_examples=150, deadline=None)
def test_the_area_is_that_of_scikit_learn(examples):
    scores, targets, weights = (np.array(column) for column in zip(*examples, strict=True))
    area = area_under_curve(scores / 5, targets)(weights.astype(float))
    drawn = np.repeat(targets, weights)
    if len(set(drawn)) < 2:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(metrics.roc_auc_score(drawn, np.repeat(scores, weights)))


@given(EXAMPLES)
@settings(max_examples=150, deadline=None)
def test_the_precision_is_that_of_scikit_learn(examples):
    scores, targets, weights = (np.array(column) for column in zip(*examples, strict=True))
    mean = average_precision(scores[:, None] / 5, targets[:, None])(weights.astype(float))
    drawn = np.repeat(targets, weights)
    if not drawn.any():
        assert np.isnan(mean)
    else:
        expected = metrics.average_precision_score(drawn, np.repeat(scores, weights))
        assert mean == pytest.approx(expected)


def test_equals_count_half():
    assert area_under_curve(np.full(6, 0.5), np.array([0, 1, 0, 1, 1, 0]))(np.ones(6)) == 0.5
    assert area_under_curve(np.array([0.1, 0.5, 0.5]), np.array([0, 0, 1]))(np.ones(3)) == 0.75


@pytest.mark.parametrize("digits", [1, 9])
def test_tags_without_a_positive_do_not_count(digits):
    random = np.random.default_rng(0)
    scores = random.random((80, 12)).round(digits)
    targets = (random.random((80, 12)) < random.random(12) / 3).astype(np.int64)
    targets[:, 3] = 0
    weights = random.integers(0, 3, 80)
    drawn, ranked = np.repeat(targets, weights, axis=0), np.repeat(scores, weights, axis=0)
    kept = drawn.sum(axis=0) > 0
    assert not kept[3] and kept.sum() > 8
    expected = metrics.average_precision_score(drawn[:, kept], ranked[:, kept])
    mean = average_precision(scores, targets)
    assert mean(weights.astype(float)) == pytest.approx(expected)
    assert np.isnan(mean((~targets.any(axis=1)).astype(float)))
