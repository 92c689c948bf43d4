"""Whitened keys: what varies within a label counts less, so that neighbours share the label.

The covariance of the features around the means of their labels is drawn to its mean variance and
inverted (Ledoit & Wolf 2004; Friedman 1989, "Regularized Discriminant Analysis"). Closed form: a
second for thousands of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.key_projection import KeyProjection
from ravl.threads import one_blas_thread

DIRECTIONS = 512  # principal ones that are whitened
SHRINKAGES = (0.05, 0.2, 0.5)  # tried: share of the mean variance in each variance
FEWEST = 20  # examples from which a covariance is measured
RIDGE = 1.0  # examples by which the offset of a label is drawn to 0
FLOOR = 1e-6  # of the largest variance; directions with less are noise of float32


@dataclass(frozen=True, eq=False)
class Whitening:
    """The covariance within the labels, by its principal axes.

    Args:
        keys: principal directions of the features.
        axes: of the covariance, (d, d).
        variances: along them, (d,).
    """

    keys: KeyProjection
    axes: Array
    variances: Array

    @classmethod
    def of(cls, keys: KeyProjection, features: Array, targets: Array) -> Whitening:
        """From examples.

        Args:
            keys: of the memory's pictures, as many directions as are whitened.
            features: of n examples, (n, F).
            targets: (n, C), 1 for the label or the tags of an example.
        """
        return cls.of_projected(keys, keys.project(features), targets)

    @classmethod
    def of_projected(cls, keys: KeyProjection, x: Array, targets: Array) -> Whitening:
        """The same, of examples that were projected, (n, d)."""
        residual = x - _explained(x, targets)
        covariance = residual.T @ residual / max(len(x) - 1, 1)
        with one_blas_thread():  # threads make it slower
            variances, axes = np.linalg.eigh(covariance)
        return cls(keys, axes, np.maximum(variances, 0))

    def with_shrinkage(self, shrinkage: float) -> KeyProjection:
        """Whitened keys; ``shrinkage`` is 0 for the covariance alone, 1 for unchanged keys."""
        return self.keys.rotated(self.matrix(shrinkage))

    def matrix(self, shrinkage: float) -> Array:
        """What whitens examples that were projected, (d, d)."""
        drawn = (1 - shrinkage) * self.variances + shrinkage * self.variances.mean()
        drawn = np.maximum(drawn, FLOOR * max(float(drawn.max(initial=0)), FLOOR))
        found: Array = (self.axes / np.sqrt(drawn)).astype(np.float32)
        return found


def _explained(x: Array, targets: Array) -> Array:
    """What the labels tell of x (n, d): the mean of the label, or a sum of offsets of the tags."""
    y = targets - targets.mean(0)
    inner = y.T @ y + RIDGE * np.eye(y.shape[1], dtype=np.float32)
    found: Array = y @ np.linalg.solve(inner, y.T @ (x - x.mean(0))) + x.mean(0)
    return found
