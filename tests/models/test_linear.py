from __future__ import annotations

import numpy as np
import pytest
import torch

from ravl.models.gate import probabilities
from ravl.models.linear import (
    HeadFit,
    LinearHead,
    Loss,
    Standardizer,
    fold_of_groups,
    label_weights,
    smoothed,
    torch_loss,
)


@pytest.fixture
def blobs():
    """Three classes around three centres, (90, 8), far from the origin and of uneven scale."""
    random = np.random.default_rng(0)
    classes = np.arange(90) % 3
    x = random.normal(size=(90, 8)) + 3 * random.normal(size=(3, 8))[classes]
    return (x * np.linspace(0.1, 9, 8) + 20).astype(np.float32) - 40, np.eye(3, dtype=np.float32)[
        classes
    ]


def test_standard_features_are_centred_and_of_norm_one(blobs):
    x = Standardizer.of(blobs[0])(blobs[0])
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    assert np.square(x).sum(1).mean() == pytest.approx(1, rel=1e-3)


def test_a_feature_that_never_varies_does_not_explode():
    features = np.tile(np.array([1, 2], np.float32), (5, 1))
    assert np.isfinite(Standardizer.of(features)(features)).all()
    assert np.abs(Standardizer.of(features)(features + 1)).max() < 1e4


def test_a_head_tells_classes_apart(blobs):
    features, targets = blobs
    head = HeadFit(features, targets, Loss(True))(1e-4)
    assert (head(features).argmax(1) == targets.argmax(1)).all()
    assert head(features).shape == (90, 3)


def test_it_is_logistic_regression(blobs):
    """The gradient of its own loss is zero where the fit has ended."""
    features, targets = blobs
    decay, loss = 1e-2, Loss(True)
    fit = HeadFit(features, targets, loss)
    for _ in range(4):
        head = fit(decay)
    x = torch.from_numpy(head.standard(features))
    weight = torch.from_numpy(head.weight).requires_grad_()
    value = (
        torch_loss(
            x @ weight.T + torch.from_numpy(head.bias),
            torch.from_numpy(targets),
            True,
            torch.ones(3),
        )
        + decay * weight.square().sum() / 2
    )
    value.backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() < 1e-3


def test_less_decay_fits_closer(blobs):
    features, targets = blobs
    random = np.random.default_rng(1).permutation(90)
    fit = HeadFit(features, targets[random], Loss(True))  # labels that mean nothing
    norms = [float(np.square(fit(decay).weight).sum()) for decay in (1e-1, 1e-3, 1e-5)]
    assert norms[0] < norms[1] < norms[2]


def test_tags_are_judged_each_for_itself(blobs):
    features, targets = blobs
    both = np.stack([targets[:, 0], 1 - targets[:, 1]], 1)  # overlapping
    head = HeadFit(features, both, Loss(False))(1e-5)
    assert ((head(features) > 0) == (both > 0)).mean() > 0.98


def test_weights_of_labels():
    targets = np.repeat(np.eye(2, dtype=np.float32), [8, 2], axis=0)
    assert label_weights(targets, True, "none") is None
    weights = label_weights(targets, True, "balanced")
    assert weights is not None
    np.testing.assert_allclose(weights * [8, 2], [5, 5])
    tags = label_weights(np.eye(1000, 2, dtype=np.float32), False, "balanced")
    assert tags is not None
    assert (tags == 10).all()  # rare tags count for more, within bounds


def test_balanced_classes_move_the_decision():
    random = np.random.default_rng(2)
    features = np.concatenate([random.normal(0, 1, (180, 2)), random.normal(1, 1, (20, 2))])
    targets = np.repeat(np.eye(2, dtype=np.float32), [180, 20], axis=0)
    found = []
    for kind in ("none", "balanced"):
        loss = Loss(True, label_weights(targets, True, kind))
        head = HeadFit(features.astype(np.float32), targets, loss)(1e-4)
        found.append(int((head(features.astype(np.float32)).argmax(1) == 1).sum()))
    assert found[1] > 2 * max(found[0], 1)


def test_smoothing_spreads_targets(blobs):
    features, targets = blobs
    exclusive, several = (smoothed(targets, Loss(e, smoothing=0.3)) for e in (True, False))
    np.testing.assert_allclose(exclusive.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(exclusive[0], [0.8, 0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(several[0], [0.85, 0.15, 0.15], rtol=1e-5)
    hard, soft = (HeadFit(features, targets, Loss(True, smoothing=s))(1e-5) for s in (0.0, 0.3))
    sure = [probabilities(h(features), True).max(1).mean() for h in (hard, soft)]
    assert sure[0] > 0.97 > 0.9 > sure[1]


def test_rows_without_a_target_teach_nothing(blobs):
    features, targets = blobs
    unknown = targets.copy()
    unknown[60:] = 0
    standard = Standardizer.of(features)
    with_unknown = HeadFit(features, unknown, Loss(True), standard)(1e-3)
    without = HeadFit(features[:60], targets[:60], Loss(True), standard)(1e-3)
    np.testing.assert_allclose(with_unknown.weight, without.weight, atol=1e-2)


def test_arrays_and_back(blobs):
    features, targets = blobs
    head = HeadFit(features, targets, Loss(True))(1e-3)
    again = LinearHead.from_arrays(head.arrays())
    np.testing.assert_array_equal(again(blobs[0]), head(blobs[0]))
    assert again.decay == pytest.approx(1e-3)


def test_folds_keep_groups_together():
    groups = np.random.default_rng(0).integers(0, 20, 100)
    folds = fold_of_groups(groups, 5, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(100))
    for i, fold in enumerate(folds):
        rest = np.concatenate([f for j, f in enumerate(folds) if j != i])
        assert not set(groups[fold]) & set(groups[rest])
    again = fold_of_groups(groups, 5, seed=3)
    assert all((a == b).all() for a, b in zip(folds, again, strict=True))
    other = fold_of_groups(groups, 5, seed=4)
    assert any(a.tolist() != b.tolist() for a, b in zip(folds, other, strict=True))
