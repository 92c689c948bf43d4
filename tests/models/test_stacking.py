from __future__ import annotations

import numpy as np
import pytest

from ravl.models.stacking import ScoreStack, fit_stack, sigmoid


def made(count: int = 4000) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two scores that tell the target, one that tells nothing, and one that never varies."""
    random = np.random.default_rng(0)
    good, fair = random.normal(size=(2, count))
    targets = (random.random(count) < sigmoid(2 * good + fair - 0.5)).astype(np.int64)
    scores = {
        "good": 10 * good + 3,
        "fair": fair,
        "noise": random.normal(size=count),
        "same": np.full(count, 7.0),
    }
    return {name: values.astype(np.float32) for name, values in scores.items()}, targets


def test_a_stack_finds_the_log_odds() -> None:
    scores, targets = made()
    stack = fit_stack(scores, list(scores), targets)
    slopes = dict(zip(stack.names, stack.weights / stack.scale, strict=True))
    assert slopes["good"] == pytest.approx(0.2, rel=0.1)
    assert slopes["fair"] == pytest.approx(1.0, rel=0.1)
    assert abs(stack.weights[stack.names.index("noise")]) < 0.1
    assert stack.weights[stack.names.index("same")] == 0
    found = stack.probabilities(scores)
    for low in np.arange(0, 1, 0.2):  # as often right as it says
        some = (found >= low) & (found < low + 0.2)
        assert targets[some].mean() == pytest.approx(found[some].mean(), abs=0.05)


def test_shares_are_parts_of_the_log_odds() -> None:
    scores, targets = made(500)
    stack = fit_stack(scores, ("good", "fair", "same"), targets)
    np.testing.assert_allclose(stack.logits(scores), stack.parts(scores).sum(1) + stack.bias, 1e-5)
    shares = stack.shares(scores, ("fair", "good", "same", "unknown"))
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert (shares[:, 2:] == 0).all()


def test_a_handful_of_pairs_is_not_believed_too_much() -> None:
    scores = {"a": np.array([1.0, 2.0, 3.0, 4.0], np.float32)}
    found = fit_stack(scores, ("a",), np.array([0, 0, 1, 1])).probabilities(scores)
    assert (np.diff(found) > 0).all()
    assert 0.02 < found[0] < found[-1] < 0.98  # although they can be told apart


def test_a_stack_is_kept_as_arrays() -> None:
    scores, targets = made(100)
    stack = fit_stack(scores, ("good", "fair"), targets)
    again = ScoreStack.from_arrays(stack.arrays(), stack.names)
    np.testing.assert_array_equal(again.logits(scores), stack.logits(scores))
