"""Outliers: pictures with a large distance to their nearest neighbours.

The mean distance to the k nearest is the simplest measure (Ramaswamy et al. 2000). It uses the
features without normalisation: pictures unlike the training data have features with small or large
norms, which a cosine ignores.
"""

from __future__ import annotations

import numpy as np

from ravl.checking.check_data import CheckData, certainty, excess
from ravl.checking.issue import Issue, ranked
from ravl.encoders.base import Array
from ravl.retrieval.datastore import Neighbours
from ravl.retrieval.key_projection import power_of, signed_power

NEAREST = 10
FAR = 3.0  # spreads beyond the usual value of the memory


def outliers(data: CheckData) -> list[Issue]:
    """Pictures that are unusually far from their neighbours, the farthest first."""
    neighbours = data.neighbours.first(NEAREST)
    if not neighbours.found.any():
        return []
    apart = distances(data.datastore.features, neighbours)
    far, usual = excess(apart), float(np.median(apart))
    found = []
    for i in np.flatnonzero((far > FAR) & data.chosen).tolist():
        why = (
            f"It is unlike all other pictures: {apart[i] / max(usual, 1e-9):.1f} times as far "
            "from its "
            f"{NEAREST} nearest as usual."
        )
        score = certainty(float(far[i]), FAR)
        found.append(Issue("outlier", (data.id(i),), score, why, "drop", None, data.nearest_ids(i)))
    return ranked(found)


def distances(features: Array, neighbours: Neighbours) -> Array:
    """Mean distance of each row's features (N, F), after a root, to its neighbours, (N,)."""
    x = signed_power(features, power_of(features))
    total = np.zeros(len(x), np.float32)
    for j in range(neighbours.positions.shape[1]):  # (N, F) at a time
        apart = np.linalg.norm(x - x[neighbours.positions[:, j]], axis=1)
        total += np.where(neighbours.found[:, j], apart, 0)
    mean: Array = total / np.maximum(neighbours.found.sum(1), 1)
    return mean
