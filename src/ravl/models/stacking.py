"""Stacking: several scores of a pair become one probability, by logistic regression.

Wolpert, "Stacked generalization" (1992); with a single score it is Platt's scaling ("Probabilistic
outputs for support vector machines", 1999). Fitted on pairs that none of the scores was trained on,
so the probability is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.errors import DataError

PRIOR = 1.0  # L2 penalty against the summed loss: with few pairs it dominates
FLOOR = 1e-4  # minimal spread of a score; a constant score carries no information


@dataclass(frozen=True, eq=False)
class ScoreStack:
    """Scores of a pair to the log odds that it fits.

    Args:
        names: names of the S scores.
        mean, scale: of each on the pairs that it was fitted on, (S,).
        weights: of the standardised scores, (S,).
        bias: log odds of a pair whose scores are all average.
    """

    names: tuple[str, ...]
    mean: Array
    scale: Array
    weights: Array
    bias: float

    def logits(self, scores: Mapping[str, Array]) -> Array:
        """Log odds (n,) of n pairs, from their scores (n,) by name."""
        total: Array = (self.parts(scores).sum(1) + self.bias).astype(np.float32)
        return total

    def probabilities(self, scores: Mapping[str, Array]) -> Array:
        """Probabilities (n,) that pairs fit."""
        return sigmoid(self.logits(scores))

    def parts(self, scores: Mapping[str, Array]) -> Array:
        """What each score adds to the log odds, (n, S)."""
        table = np.stack([score_of(name, scores) for name in self.names], axis=1)
        parts: Array = ((table - self.mean) / self.scale * self.weights).astype(np.float32)
        return parts

    def shares(self, scores: Mapping[str, Array], names: Sequence[str]) -> Array:
        """The share of each score in the absolute log odds, (n, len(names)).

        The shares of all scores sum to 1; an unused score has 0.
        """
        size = np.abs(self.parts(scores))
        shares = size / np.maximum(size.sum(1, keepdims=True), 1e-9)
        found = np.zeros((len(shares), len(names)), np.float32)
        for j, name in enumerate(names):
            if name in self.names:
                found[:, j] = shares[:, self.names.index(name)]
        return found

    def arrays(self) -> dict[str, Array]:
        """All parameters except the names, for a file of arrays."""
        bias = np.array([self.bias], np.float32)
        return {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], names: Sequence[str]) -> ScoreStack:
        """The inverse of :meth:`arrays`; ValueError where they are not of these names."""
        if any(arrays[name].shape != (len(names),) for name in ("mean", "scale", "weights")):
            raise ValueError("the arrays of a stack are not those of its scores")
        mean, scale, weights = (arrays[name] for name in ("mean", "scale", "weights"))
        return cls(tuple(names), mean, scale, weights, float(arrays["bias"][0]))


def score_of(name: str, scores: Mapping[str, Array]) -> Array:
    """A score of that name.

    Raises:
        DataError: there is none, so the run that names it is damaged.
    """
    if name not in scores:
        known = ", ".join(scores)
        raise DataError(
            f"The run weighs a score {name!r:.50}, and there are only {known}. It is damaged: fit "
            "it again, or pull it again."
        )
    return scores[name]


def fit_stack(scores: Mapping[str, Array], names: Sequence[str], targets: Numbers) -> ScoreStack:
    """Fit the stack by maximum likelihood, with a prior that pulls its weights to zero.

    Args:
        scores: (n,) each, by name; of models that have not seen the pairs.
        names: the scores to use.
        targets: (n,) 1 for a pair that fits, else 0.
    """
    from scipy.optimize import minimize

    table = np.stack([scores[name] for name in names], axis=1).astype(np.float64)
    mean = table.mean(0)
    scale = np.maximum(table.std(0), FLOOR)
    z = np.hstack([(table - mean) / scale, np.ones((len(table), 1))])  # (n, S + 1)
    y = targets.astype(np.float64)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        x = z @ w
        free = np.append(w[:-1], 0.0)  # the bias is not penalised
        value = (np.logaddexp(0, x) - y * x).sum() + PRIOR * (free @ free) / 2
        gradient = z.T @ (sigmoid(x) - y) + PRIOR * free
        return float(value), gradient

    found = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B").x
    wide = [np.asarray(a, np.float32) for a in (mean, scale, found[:-1])]
    return ScoreStack(tuple(names), wide[0], wide[1], wide[2], float(found[-1]))


def sigmoid(x: NDArray[np.floating]) -> Array:
    """1 / (1 + exp(-x)), of the same shape."""
    y: Array = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return y
