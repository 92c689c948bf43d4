from __future__ import annotations

import numpy as np
import pytest
import torch

from ravl.encoders.base import Array
from ravl.training.dual_encoder.heads import RetrieverModel, TrainableHead
from ravl.training.dual_encoder.losses import info_nce, sigmoid_loss
from ravl.training.dual_encoder.settings import RetrieverSettings


def features(count: int = 40, size: int = 12, low: float = -1.0, seed: int = 0) -> Array:
    """Long-tailed; none below zero if ``low`` is 0."""
    values = np.random.default_rng(seed).normal(size=(count, size)) ** 3
    return np.maximum(values, low * np.inf if low else 0).astype(np.float32)


def settled(head: TrainableHead) -> TrainableHead:
    """With weights that are none of those it begins with, in eval mode."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    return head.eval()


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize(("low", "power"), [(0.0, 0.5), (-1.0, 1.0)])
def test_in_numpy_a_head_gives_the_same(hidden, low, power):
    x = features(low=low)
    head = settled(TrainableHead(x, RetrieverSettings(dimension=5, hidden=hidden)))
    exported = head.export()
    assert exported.power == head.power == power
    assert (exported.inputs, exported.dimension) == (12, 5)
    assert (exported.hidden_weight is not None) == bool(hidden)
    for some in (x, features(9, seed=1)):  # later ones may be below zero
        with torch.no_grad():
            expected = head(torch.from_numpy(some)).numpy()
        np.testing.assert_allclose(exported(some), expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)


def test_what_was_exported_stays_when_training_goes_on():
    head = TrainableHead(features(), RetrieverSettings(dimension=5, hidden=3))
    exported = head.export()
    before = exported(features())
    settled(head)
    with torch.no_grad():
        head.mean.add_(1)
    np.testing.assert_array_equal(exported(features()), before)


def test_features_are_standardised_by_the_training_part():
    x = features(low=0.0)
    head = TrainableHead(x, RetrieverSettings())
    z = (np.sqrt(x) - head.mean.numpy()) / head.scale.numpy()
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(0), 1, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_features_that_never_vary_do_no_harm(value):
    x = features()
    x[:, 4] = value
    head = settled(TrainableHead(x, RetrieverSettings(dimension=5)))
    with torch.no_grad():
        assert torch.isfinite(head(torch.from_numpy(x))).all()
        expected = head(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(head.export()(x), expected, atol=1e-5)


def test_a_hidden_layer_begins_as_a_linear_head():
    head = TrainableHead(features(), RetrieverSettings(dimension=5, hidden=7)).eval()
    x = torch.from_numpy(features())
    with torch.no_grad():
        linear = torch.nn.functional.normalize(head.linear((x - head.mean) / head.scale), dim=-1)
        assert torch.allclose(head(x), linear, atol=1e-6)


# --- the model -----------------------------------------------------------------------------


def batch(count: int = 6) -> dict[str, torch.Tensor]:
    return {
        "features": torch.from_numpy(features(count)),
        "texts": torch.from_numpy(features(count, 8)),
        "groups": torch.arange(count),
        "which": torch.arange(count),
    }


def model(**settings: object) -> RetrieverModel:
    torch.manual_seed(0)
    chosen = RetrieverSettings(**{"dimension": 5, "dropout": 0.0, **settings})  # type: ignore[arg-type]
    return RetrieverModel(features(), features(size=8), chosen)


@pytest.mark.parametrize("loss", ["infonce", "sigmoid"])
@pytest.mark.parametrize("field", ["groups", "which"])
def test_pairs_with_one_picture_or_one_text_are_positives(loss, field):
    one, these = model(loss=loss), batch()
    these[field][3] = these[field][0]
    positives = torch.eye(6, dtype=torch.bool)
    positives[0, 3] = positives[3, 0] = True
    scores = one.sharpness.exp() * one.pictures(these["features"]) @ one.texts(these["texts"]).T
    expected = {
        "infonce": info_nce(scores, positives),
        "sigmoid": sigmoid_loss(scores, positives, one.bias),
    }
    assert one(**these)["loss"].item() == pytest.approx(expected[loss].item(), rel=1e-5)


@pytest.mark.parametrize("loss", ["infonce", "sigmoid"])
@pytest.mark.parametrize("hidden", [0, 4])
def test_every_weight_is_trained(loss, hidden):
    one = model(loss=loss, hidden=hidden)
    one(**batch())["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in one.parameters())
    assert one.sharpness.grad != 0
    assert (one.bias.grad != 0) == (loss == "sigmoid")


def test_the_temperature_is_the_one_that_was_set_and_never_too_sharp():
    assert model(temperature=0.05).sharpness.exp().item() == pytest.approx(20)
    wild = model()
    with torch.no_grad():
        wild.sharpness.fill_(80.0)
    assert torch.isfinite(wild(**batch())["loss"])
