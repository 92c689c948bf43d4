from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from ravl.training.dual_encoder.losses import info_nce, sigmoid_loss

ZERO = torch.tensor(0.0)


def batch(size: int = 6, spread: float = 5.0) -> Tensor:
    values = np.random.default_rng(size).normal(size=(size, size)) * spread
    return torch.from_numpy(values)


def alone(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.bool)


def sharing() -> Tensor:
    """Six pairs, of which the first and the fourth have the same text."""
    positives = alone(6)
    positives[0, 3] = positives[3, 0] = True
    return positives


def plain_info_nce(scores: np.ndarray, positives: np.ndarray) -> float:
    total = 0.0
    for s, p in ((scores, positives), (scores.T, positives.T)):
        for i in range(len(s)):
            negatives = [j for j in range(len(s)) if not p[i, j]]
            total -= s[i, i] - np.log(sum(np.exp(s[i, [i, *negatives]])))
    return float(total / (2 * len(scores)))


@pytest.mark.parametrize("positives", [alone(6), sharing()])
def test_infonce_is_what_its_formula_says(positives):
    scores = batch()
    expected = plain_info_nce(scores.numpy(), positives.numpy())
    assert info_nce(scores, positives).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("positives", [alone(6), sharing()])
def test_the_sigmoid_loss_is_what_its_formula_says(positives):
    scores, bias = batch(), torch.tensor(-1.5, dtype=torch.float64)
    signs = np.where(positives.numpy(), 1, -1)
    expected = np.log1p(np.exp(-signs * (scores.numpy() - 1.5))).sum() / 6
    assert sigmoid_loss(scores, positives, bias).item() == pytest.approx(expected, rel=1e-9)


def test_other_positives_are_not_negatives():
    scores = batch().requires_grad_()
    info_nce(scores, sharing()).backward()
    assert scores.grad is not None
    assert scores.grad[0, 3] == scores.grad[3, 0] == 0
    assert (scores.grad[~sharing()] > 0).all()  # negatives are pushed away
    assert (scores.grad.diagonal() < 0).all()
    higher = scores.detach().clone()
    higher[0, 3] += 9
    assert info_nce(higher, sharing()) == info_nce(scores, sharing())
    assert info_nce(higher, alone(6)) > info_nce(scores, alone(6))


def test_for_the_sigmoid_loss_other_positives_are_wanted():
    scores = batch().requires_grad_()
    sigmoid_loss(scores, sharing(), ZERO).backward()
    assert scores.grad is not None
    assert scores.grad[0, 3] < 0 < scores.grad[0, 2]


def test_known_values():
    scores = torch.zeros(4, 4)
    assert info_nce(scores, alone(4)).item() == pytest.approx(log(4))
    assert sigmoid_loss(scores, alone(4), ZERO).item() == pytest.approx(4 * log(2))
    # Only one of a row is right: a low bias is right about all the others.
    assert sigmoid_loss(scores, alone(4), torch.tensor(-10.0)).item() == pytest.approx(
        10 + 4 * np.log1p(np.exp(-10)), rel=1e-5
    )
    sure = torch.eye(4) * 200 - 100
    assert info_nce(sure, alone(4)).item() == pytest.approx(0, abs=1e-6)
    assert sigmoid_loss(sure, alone(4), ZERO).item() == pytest.approx(0, abs=1e-6)


def test_a_batch_whose_pairs_all_belong_together_teaches_infonce_nothing():
    assert info_nce(batch(), torch.ones(6, 6, dtype=torch.bool)).item() == pytest.approx(0)


def test_a_batch_of_one():
    assert info_nce(batch(1), alone(1)).item() == 0
    assert torch.isfinite(sigmoid_loss(batch(1), alone(1), ZERO))


@pytest.mark.parametrize("size", [100.0, 1e4, -1e4])
def test_extreme_scores_are_finite(size):
    scores = (torch.eye(4) * -2 * size + size).requires_grad_()  # as wrong as can be, or as right
    for loss in (info_nce(scores, alone(4)), sigmoid_loss(scores, alone(4), ZERO)):
        assert torch.isfinite(loss)
        (gradient,) = torch.autograd.grad(loss, scores)
        assert torch.isfinite(gradient).all()
