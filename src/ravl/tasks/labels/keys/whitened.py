"""The data searched by whitened keys, with the scores of class means.

How training examples are looked up is said in :mod:`ravl.tasks.labels.keys.folds`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.class_means import ClassMeans, KeySums, scores_without
from ravl.models.held_out import log_loss
from ravl.retrieval.datastore import Datastore, Ints
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import (
    FitData,
    Split,
    rows_with_target,
    searched_by,
    searching,
)
from ravl.tasks.labels.keys.folds import training_by_folds
from ravl.tasks.labels.keys.whitening import DIRECTIONS, FEWEST, SHRINKAGES, Whitening

FOLDS = 5


def whitened_data(data: FitData) -> FitData | None:
    """The data as whitened keys search it; None where that cannot be.

    Keys must be of pictures alone, the examples more than a few, and the neighbours not reranked.
    The shrinkage is that by which class means answer the validation split best.
    """
    if data.settings.whiten == "no" or data.settings.propagate_labels == "yes":
        return None
    if type(data.keys) is not KeyProjection or data.second is not None:
        return None
    if len(data.train) < FEWEST:
        return None
    speaking = rows_with_target(data.datastore, data.task)
    labels = data.task.table(data.datastore.rows, data.labels)
    principal = KeyProjection.of(data.datastore.features, DIRECTIONS)
    features, targets = data.train.queries.seen, data.train.targets
    whitening = Whitening.of(principal, features, targets)
    tried = [(_held_loss(data, whitening.with_shrinkage(s), labels), s) for s in SHRINKAGES]
    shrinkage = min(tried)[1]

    def learn(examples: Ints, _: NDArray[np.bool_]) -> KeyProjection:
        some = Whitening.of(principal, features[examples], targets[examples])
        return some.with_shrinkage(shrinkage)

    train = training_by_folds(data, speaking, FOLDS, learn, labels)
    found = searched_by(data, whitening.with_shrinkage(shrinkage), speaking, train)
    return replace(
        found,
        validation=with_scores(found, found.validation, labels),
        test=with_scores(found, found.test, labels),
        learned=True,
        shrinkage=shrinkage,
    )


def with_scores(data: FitData, side: Split, labels: Array) -> Split:
    """A split with the scores of the class means of the data's memory.

    Args:
        data: whose keys and rows count.
        side: whose examples are compared, each without the rows that show it.
        labels: of the rows, (N, C).
    """
    return replace(side, scores=_scores(data, data.datastore, data.keys, side, labels)[0])


def _scores(
    data: FitData, datastore: Datastore, keys: KeyProjection, side: Split, labels: Array
) -> tuple[Array, KeySums]:
    """Scores (n, C) of the examples of a split, and the sums that they are made of."""
    own = datastore.showing_each(side.examples.shown)
    sums, looked = KeySums.of(datastore.keys, labels), keys(side.queries.seen)

    def rows(some: Ints) -> tuple[Array, Array]:
        return datastore.keys[some], labels[some]

    return scores_without(looked, sums, own, rows, data.task.exclusive), sums


def _held_loss(data: FitData, keys: KeyProjection, labels: Array) -> float:
    """Log loss of the validation split, answered by class means with some keys."""
    side, exclusive = data.validation, data.task.exclusive
    scores, sums = _scores(data, searching(data.datastore, keys), keys, side, labels)
    means = ClassMeans.fit(scores, side.targets, sums.counts, sums.rows, exclusive)
    return log_loss(means(scores, sums.counts, sums.rows), side.targets, data.task.exclusive)
