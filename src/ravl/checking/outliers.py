"""Outliers: pictures that are like no other, by their distance to the nearest ones.

Distance to the k nearest is the plainest measure of it (Ramaswamy et al. 2000). It is that of the
features as they are, not of their directions: what a network has never seen excites it little or
much, which a cosine does not notice.
"""

from __future__ import annotations

import numpy as np

from ravl.checking.ground import FitData, certainty, excess
from ravl.checking.issue import Issue, ranked
from ravl.encoders.base import Array
from ravl.retrieval.datastore import Neighbours
from ravl.retrieval.key_projection import root, tamed

NEAREST = 10
FAR = 3.0  # spreads beyond what is usual for the memory


def outliers(ground: FitData) -> list[Issue]:
    """Pictures that are farther from their nearest ones than is usual, the strangest first."""
    near = ground.near.first(NEAREST)
    if not near.found.any():
        return []
    apart = distances(ground.bank.features, near)
    far, usual = excess(apart), float(np.median(apart))
    found = []
    for i in np.flatnonzero((far > FAR) & ground.chosen).tolist():
        why = (
            f"It is like no other picture: {apart[i] / max(usual, 1e-9):.1f} times as far from its "
            f"{NEAREST} nearest as is usual."
        )
        score = certainty(float(far[i]), FAR)
        found.append(
            Issue("outlier", (ground.id(i),), score, why, "drop", None, ground.neighbours(i))
        )
    return ranked(found)


def distances(features: Array, near: Neighbours) -> Array:
    """Mean distance of each row's features (N, F), tamed, to those of its neighbours, (N,)."""
    x = tamed(features, root(features))
    total = np.zeros(len(x), np.float32)
    for j in range(near.positions.shape[1]):  # (N, F) at a time
        apart = np.linalg.norm(x - x[near.positions[:, j]], axis=1)
        total += np.where(near.found[:, j], apart, 0)
    mean: Array = total / np.maximum(near.found.sum(1), 1)
    return mean
