"""Choose among candidate texts of the memory and of a generator.

Each candidate has several scores: its agreement with the neighbours' texts, its likelihood under
the generator, and its agreement with the other candidates. The weights of the scores are fitted so
that the chosen texts are best on pictures with known texts (minimum risk training of a linear
model, Och 2003, here smooth as in Shen et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.models.stacking import FLOOR, score_of

SHARPNESS = 4.0  # of the softmax over candidates, against scores of unit spread
PRIOR = 1e-3  # penalty on the weights: useless scores get weight zero
Scores = Mapping[str, Array]  # of one picture's candidates (c,), by name


@dataclass(frozen=True, eq=False)
class CandidateRanker:
    """Combines the scores of candidates into one score.

    Args:
        names: names of the S scores.
        scale: their spread within a picture, (S,).
        weights: (S,), of the scaled scores.
    """

    names: tuple[str, ...]
    scale: Array
    weights: Array

    def __call__(self, scores: Scores) -> Array:
        """One score for each candidate, (c,)."""
        table = np.stack([score_of(name, scores) for name in self.names], axis=1)
        found: Array = ((table / self.scale) @ self.weights).astype(np.float32)
        return found

    def share(self, names: Sequence[str]) -> float:
        """The share of these scores in the decision, 0 to 1."""
        size = np.abs(self.weights)
        own = sum(float(w) for n, w in zip(self.names, size, strict=True) if n in names)
        return own / max(float(size.sum()), 1e-9)

    def arrays(self) -> dict[str, Array]:
        """All parameters except the names, for a file of arrays."""
        return {"scale": self.scale, "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], names: Sequence[str]) -> CandidateRanker:
        """The inverse of :meth:`arrays`; ValueError where they are not of these names."""
        if any(arrays[name].shape != (len(names),) for name in ("scale", "weights")):
            raise ValueError("the arrays of a ranker are not those of its scores")
        return cls(tuple(names), arrays["scale"], arrays["weights"])


def fit_chooser(
    scores: Sequence[Scores], quality: Sequence[Numbers], names: Sequence[str]
) -> CandidateRanker:
    """Fit the weights with the best choices.

    Args:
        scores: of each picture's candidates, none of which was trained on.
        quality: quality of each candidate, higher is better; by picture (c,).
        names: of the scores that count.
    """
    from scipy.optimize import minimize

    tables = [np.stack([s[n] for n in names], axis=1).astype(np.float64) for s in scores]
    centred = [t - t.mean(0) for t in tables if len(t) > 1]
    goods = [np.asarray(q, np.float64) for t, q in zip(tables, quality, strict=True) if len(t) > 1]
    if not centred:
        even = np.ones(len(names), np.float32)
        return CandidateRanker(tuple(names), even, even)
    scale = np.maximum(np.sqrt(np.mean([(t**2).mean(0) for t in centred], axis=0)), FLOOR)
    widest = max(len(t) for t in centred)
    z = np.zeros((len(centred), widest, len(names)))
    good = np.zeros((len(centred), widest))
    there = np.zeros((len(centred), widest), bool)
    for i, (table, values) in enumerate(zip(centred, goods, strict=True)):
        z[i, : len(table)], good[i, : len(table)], there[i, : len(table)] = (
            table / scale,
            values,
            True,
        )
    spread = max(float(good[there].std()), 1e-9)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.where(there, SHARPNESS * (z @ w), -np.inf)
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        mean = (p * good).sum(1, keepdims=True)
        slope = SHARPNESS * ((p * (good - mean))[:, :, None] * z).sum(1).mean(0)
        value = -mean.mean() / spread + PRIOR * (w @ w)
        return float(value), -slope / spread + 2 * PRIOR * w

    found = minimize(loss, np.full(len(names), 0.3), jac=True, method="L-BFGS-B").x
    return CandidateRanker(tuple(names), scale.astype(np.float32), found.astype(np.float32))
