"""The training split of a fit as keys see it that have not seen its labels.

Keys that were learned from an example's label find others of that label all too well. So the
training examples of each fold are looked up by keys that were learned on the other folds, among the
rows of these. It is as a new picture is looked up: by keys that never saw it, among rows that they
saw. What is fitted on them (vote, gate, reader) then stays as valid as with frozen keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.class_means import KeySums
from ravl.models.linear import fold_of_groups
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import FitData, Split, searching, seen_by

# Positions of the training examples (m,) and rows of the datastore (N,) to learn from -> keys.
LearnKeys = Callable[[Ints, NDArray[np.bool_]], KeyProjection]


def training_by_folds(
    data: FitData,
    speaking: NDArray[np.bool_],
    folds: int,
    learn: LearnKeys,
    labels: Array | None = None,
) -> Split:
    """The training split, each fold looked up by keys of the others.

    Args:
        data: to fit on.
        speaking: rows of the datastore that say something for the task, (N,).
        folds: number of folds; near-duplicates are in the same one.
        learn: see :data:`LearnKeys`.
        labels: of the rows, (N, C), to give the scores of class means too; None for no scores.
    """
    datastore, train = data.datastore, data.train
    kinds = train.neighbours, train.wide
    positions = [np.full_like(n.positions, -1) for n in kinds]
    similarity = [np.zeros_like(n.similarity) for n in kinds]
    scores = None if labels is None else np.zeros(train.targets.shape, np.float32)
    for fold in fold_of_groups(train.examples.groups, folds, data.settings.seed):
        rest = np.setdiff1d(np.arange(len(train)), fold)
        part = train.examples.take(fold)
        others = ~np.isin(datastore.groups, part.seen_groups())
        if not len(fold) or not len(rest) or not (speaking & others).any():
            continue  # no row is left to be found
        keys = learn(rest, others)
        rows = searching(datastore, keys)
        found = seen_by(part, keys, rows, speaking, data.settings.k, others)
        for n, places, values in zip(found, positions, similarity, strict=True):
            places[fold], values[fold] = n.positions, n.similarity
        if scores is not None and labels is not None:
            sums = KeySums.of(rows.keys[others], labels[others])
            scores[fold] = sums.scores(keys(part.features), data.task.exclusive)
    neighbours, wide = (Neighbours(p, v) for p, v in zip(positions, similarity, strict=True))
    return replace(train, neighbours=neighbours, wide=wide, scores=scores)
