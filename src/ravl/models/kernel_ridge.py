"""Kernel ridge regression over the neighbours of a query: how much each of them says about it.

A vote gives every near neighbour a positive share, so ten neighbours that show the same thing count
ten times. The ridge's weights explain the query by its neighbours: what many of them share counts
once, and what only tells them apart from the query gets a negative weight (Saunders et al. 1998,
"Ridge Regression Learning Algorithm in Dual Variables").
"""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import Array

RIDGE = 2.0  # added to the diagonal of the kernel, which is 1
STEPS = 15  # of the conjugate gradients; more change no caption


def ridge_weights(keys: Array, query: Array) -> Array:
    """Weights (m,) of neighbours; their sum of what the neighbours say is the prediction.

    The kernel is exp(cosine - 1). The equations are solved by conjugate gradients (Hestenes and
    Stiefel 1952), so nothing is kept between queries: an edit of the memory counts at once.

    Args:
        keys: of the neighbours, (m, d), L2-normalised.
        query: key of the query, (d,), L2-normalised.
    """
    kernel = np.exp(keys @ keys.T - 1)  # (m, m)
    residual = np.exp(keys @ query - 1)  # (m,)
    weights = np.zeros_like(residual)
    direction = residual
    square = float(residual @ residual)
    for _ in range(STEPS):
        if square < 1e-12:
            break
        changed = kernel @ direction + RIDGE * direction
        step = square / float(direction @ changed)
        weights = weights + step * direction
        residual = residual - step * changed
        before, square = square, float(residual @ residual)
        direction = residual + square / before * direction
    found: Array = weights.astype(np.float32)
    return found
