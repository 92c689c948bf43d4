"""The heads of a dual encoder in closed form; the validation split chooses how smooth they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.encoders.heads import Head
from ravl.evaluation import early_recall, ranks_of_relevant
from ravl.models.cca import Covariances
from ravl.training.dual_encoder.pairs import Ints, Pairs, pairs_of, relevant

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FIRST = (4, 3)  # of these for pictures and for texts, where the choice begins
MOST = 30_000  # training pictures that are used; more need gigabytes and change little


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """Heads by canonical correlation analysis.

    Args:
        heads: for pictures and for texts.
        ridges: of pictures and of texts, in mean variances of a feature.
        recall: of the validation split, :func:`ravl.evaluation.early_recall`.
    """

    heads: tuple[Head, Head]
    ridges: tuple[float, float]
    recall: float


def closed_form(
    pairs: Pairs, seen: Array, read: Array, train: Ints, validation: Ints, dimension: int
) -> ClosedForm:
    """Fit the heads, with the ridges that are best on the validation split.

    Args:
        pairs: n pictures and m texts.
        seen: features of the pictures, (n, F).
        read: vectors of the texts, (m, D).
        train, validation: positions of pictures.
        dimension: of the space, at most.
    """
    train = train[:: -(-len(train) // MOST)]
    own = pairs_of(pairs, train)
    chosen, which = np.unique(pairs.which[own], return_inverse=True)
    owners = np.searchsorted(train, pairs.owners[own])
    found = Covariances.of(seen[train], read[chosen], owners, which)
    texts, of_text, of_picture = relevant(pairs, validation)
    tried: dict[tuple[int, int], ClosedForm] = {}

    def fit(place: tuple[int, int]) -> float:
        if place not in tried:
            ridges = RIDGES[place[0]], RIDGES[place[1]]
            heads = found.heads(dimension, *ridges)
            both = heads[0](seen[validation]), heads[1](read[texts])
            ranks = (
                ranks_of_relevant(both[1], both[0], of_text),
                ranks_of_relevant(both[0], both[1], of_picture),
            )
            tried[place] = ClosedForm(heads, ridges, early_recall(ranks, len(validation)))
        return tried[place].recall

    best = FIRST
    while True:  # uphill, to the next ridge of one kind at a time
        steps = [(best[0] + a, best[1] + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        near = [place for place in steps if all(0 <= i < len(RIDGES) for i in place)]
        better = max(near, key=fit)
        if fit(better) <= fit(best):
            return tried[best]
        best = better
