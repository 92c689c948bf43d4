"""The linear head: logistic regression on the frozen tower's features.

The strong baseline for retrieval, and the base of the fusion model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints
from ravl.retrieval.key_projection import FLOOR, power_of, signed_power

if TYPE_CHECKING:
    from torch import Tensor

DECAYS = (
    1e-2,
    3e-3,
    1e-3,
    3e-4,
    1e-4,
    3e-5,
    1e-5,
    3e-6,
    1e-6,
    3e-7,
)  # tried in this order, until it gets worse
STEPS = 30  # of L-BFGS at most, for each


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Features made fit for a linear map: raised to a power, centred, scaled, of norm about 1.

    Args:
        power: see :class:`ravl.retrieval.key_projection.KeyProjection`; one, or one a feature (F,).
        mean, scale: of the features so raised, (F,).
    """

    power: float | Array
    mean: Array
    scale: Array

    @classmethod
    def of(cls, features: Array) -> Standardizer:
        """From features (n, F) of the training split."""
        power = power_of(features)
        x = signed_power(features, power)
        return cls(power, x.mean(0), np.maximum(x.std(0), FLOOR) * np.float32(np.sqrt(x.shape[1])))

    def __call__(self, features: Array) -> Array:
        """(n, F) -> (n, F)."""
        return (signed_power(features, self.power) - self.mean) / self.scale

    def arrays(self) -> dict[str, Array]:
        """All that it has, for a file of arrays."""
        power = np.atleast_1d(np.asarray(self.power, np.float32))
        return {"power": power, "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Standardizer:
        """The inverse of :meth:`arrays`; ValueError where they do not fit together."""
        power, shape = arrays["power"], arrays["mean"].shape
        if arrays["scale"].shape != shape or power.shape not in ((1,), shape) or len(shape) != 1:
            raise ValueError("the arrays of the standardiser do not fit together")
        return cls(float(power[0]) if len(power) == 1 else power, arrays["mean"], arrays["scale"])

    def then(self, other: Standardizer, weight: float = 1.0) -> Standardizer:
        """For features of two kinds, one after the other; the second count ``weight`` times."""
        powers = [np.broadcast_to(np.float32(s.power), s.mean.shape) for s in (self, other)]
        return Standardizer(
            np.concatenate(powers),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.scale, other.scale / np.float32(weight)]),
        )


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Logits of labels from features.

    Args:
        standard: the standardiser of the features.
        weight: (C, F).
        bias: (C,).
        decay: weight decay of the fit.
    """

    standard: Standardizer
    weight: Array
    bias: Array
    decay: float

    def __call__(self, features: Array) -> Array:
        """Features (n, F) -> logits (n, C)."""
        logits: Array = self.standard(features) @ self.weight.T + self.bias
        return logits

    def arrays(self) -> dict[str, Array]:
        """All that it has, for a file of arrays."""
        own = {
            "weight": self.weight,
            "bias": self.bias,
            "decay": np.array([self.decay], np.float32),
        }
        return {**self.standard.arrays(), **own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> LinearHead:
        """The inverse of :meth:`arrays`; ValueError where they do not fit together."""
        features = arrays["mean"].shape
        if arrays["weight"].shape != (*arrays["bias"].shape, *features) or len(features) != 1:
            raise ValueError("the arrays of the head do not fit together")
        standard, decay = Standardizer.from_arrays(arrays), float(arrays["decay"][0])
        return cls(standard, arrays["weight"], arrays["bias"], decay)


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a head.

    Args:
        exclusive: True for one label per picture (softmax, cross-entropy), False for tags (sigmoid,
            binary cross-entropy).
        weights: of the labels, (C,), None for all equal.
        smoothing: share of each target that is spread over all labels.
    """

    exclusive: bool
    weights: Array | None = None
    smoothing: float = 0.0


class HeadFit:
    """Fit heads with decreasing weight decay; each starts from the previous one.

    Args:
        features: (n, F).
        targets: (n, C), 1 for a label or shares that sum to 1; for tags 0 or 1.
        loss: the loss, minimised by L-BFGS over all examples at once (Liu & Nocedal 1989).
        standard: the standardiser; None computes it from the features.
    """

    def __init__(
        self, features: Array, targets: Array, loss: Loss, standard: Standardizer | None = None
    ) -> None:
        import torch

        self._standard = standard or Standardizer.of(features)
        self._x = torch.from_numpy(self._standard(features))  # (n, F)
        self._y = torch.from_numpy(smoothed(targets, loss))  # (n, C)
        self._exclusive = loss.exclusive
        self._scale = torch.ones(targets.shape[1])
        if loss.weights is not None:
            self._scale = torch.from_numpy(loss.weights)
        self._weight = torch.zeros(targets.shape[1], features.shape[1], requires_grad=True)
        self._bias = torch.zeros(targets.shape[1], requires_grad=True)

    def __call__(self, decay: float) -> LinearHead:
        """The head with this decay: half the weight of the squared norm of the weights."""
        import torch

        optimiser = torch.optim.LBFGS(
            [self._weight, self._bias],
            max_iter=STEPS,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        def closure() -> torch.Tensor:
            optimiser.zero_grad()
            logits = self._x @ self._weight.T + self._bias
            value: torch.Tensor = torch_loss(logits, self._y, self._exclusive, self._scale)
            value = value + decay * self._weight.square().sum() / 2
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        weight, bias = (p.detach().numpy().copy() for p in (self._weight, self._bias))
        return LinearHead(self._standard, weight, bias, decay)

    def down_to(self, decay: float) -> LinearHead:
        """The head with one of ``DECAYS``; it starts from those before, as in the choice."""
        for tried in DECAYS:
            head = self(tried)
            if tried <= decay * (1 + 1e-6):
                break
        return head


def torch_loss(logits: Tensor, targets: Tensor, exclusive: bool, weights: Tensor) -> Tensor:
    """Cross-entropy with soft targets, or binary cross-entropy, each label by its weight.

    Args:
        logits, targets: (n, C) tensors.
        exclusive: see :class:`Loss`.
        weights: of the labels, (C,) tensor.
    """
    from torch.nn import functional as F

    if exclusive:
        each = -(weights * targets * logits.log_softmax(1)).sum(1)
        return each.sum() / (weights * targets).sum().clamp(min=1e-9)
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # Summed over the labels, so a decay has the same effect for one tag and for a hundred.
    return (weights * each).sum(1).mean()


def smoothed(targets: Array, loss: Loss) -> Array:
    """Targets with a share spread over all labels, or pulled towards one half for tags."""
    share = np.float32(loss.smoothing)
    level = np.float32(1 / targets.shape[1] if loss.exclusive else 0.5)
    return (targets * (1 - share) + share * level).astype(np.float32)


def label_weights(targets: Array, exclusive: bool, kind: str) -> Array | None:
    """Weights of the labels, (C,): ``balanced`` weights labels equally, ``none`` pictures."""
    if kind == "none":
        return None
    counts = np.maximum(targets.sum(0), 1.0)
    weights: Array = counts.sum() / len(counts) / counts
    if not exclusive:  # rare tags count more, but not a hundred times more
        weights = np.sqrt(len(targets) / counts / 2).clip(1, 10)
    return weights.astype(np.float32)


def fold_of_groups(groups: Ints, folds: int, seed: int) -> list[Ints]:
    """Positions of each fold; members of a group are in the same one."""
    names, members = np.unique(groups, return_inverse=True)
    of_group = np.random.default_rng(seed).permutation(len(names)) % folds
    return [np.flatnonzero(of_group[members] == fold) for fold in range(folds)]
