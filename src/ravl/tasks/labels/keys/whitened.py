"""The data searched by whitened keys, with the scores of class means.

Keys that were whitened with an example's label find others of that label too well. So training
examples are looked up by keys that were whitened on other folds, among the rows of these, as
:mod:`ravl.tasks.labels.keys.data` does it for learned keys.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.models.class_means import ClassMeans, KeySums, scores_without
from ravl.models.linear import fold_of_groups
from ravl.retrieval.datastore import Datastore, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import (
    FitData,
    Split,
    rows_with_target,
    searched_by,
    searching,
    seen_by,
)
from ravl.tasks.labels.keys.whitening import DIRECTIONS, SHRINKAGES, Whitening
from ravl.tasks.labels.levels import log_loss

FOLDS = 5
FEWEST = 20  # training examples from which a covariance is measured


def whitened_data(data: FitData) -> FitData | None:
    """The data as whitened keys search it; None where that cannot be.

    Keys must be of pictures alone, the examples more than a few, and the neighbours not reranked.

    The shrinkage is that by which class means answer the validation part best.
    """
    if data.settings.whiten == "no" or data.settings.propagate_labels == "yes":
        return None
    if type(data.keys) is not KeyProjection or data.second is not None:
        return None
    if len(data.train) < FEWEST:
        return None
    principal = KeyProjection.of(data.datastore.features, DIRECTIONS)
    whitening = Whitening.of(principal, data.train.queries.features, data.train.targets)
    tried = []
    for shrinkage in SHRINKAGES:
        keys = whitening.with_shrinkage(shrinkage)
        tried.append((_held_loss(data, keys), shrinkage))
    return searched_with(data, whitening, min(tried)[1], principal)


def searched_with(
    data: FitData, whitening: Whitening, shrinkage: float, principal: KeyProjection
) -> FitData:
    """The data as it is searched with one shrinkage, all parts looked up again."""
    speaking = rows_with_target(data.datastore, data.task)
    found = searched_by(data, whitening.with_shrinkage(shrinkage), speaking)
    return replace(
        found,
        train=_training(data, principal, shrinkage),
        validation=with_scores(found, found.validation),
        test=with_scores(found, found.test),
        learned=True,
        shrinkage=shrinkage,
    )


def sums_of(data: FitData, datastore: Datastore) -> KeySums:
    """Sums of the keys of a datastore's rows by the labels of training."""
    return KeySums.of(datastore.keys, data.task.table(datastore.rows, data.labels))


def scores_of(data: FitData, datastore: Datastore, side: Split, keys: KeyProjection) -> Array:
    """Scores (n, C) of the examples of a part, each without the rows that show it."""
    labels = data.task.table(datastore.rows, data.labels)
    own = [datastore.showing(groups) for groups in side.examples.shown]
    sums = KeySums.of(datastore.keys, labels)
    rows = datastore.keys, labels
    return scores_without(keys(side.queries.features), sums, own, rows, data.task.exclusive)


def with_scores(data: FitData, side: Split) -> Split:
    """A part with the scores of the class means of the data's memory."""
    return replace(side, scores=scores_of(data, data.datastore, side, data.keys))


def _held_loss(data: FitData, keys: KeyProjection) -> float:
    """Log loss of the validation part, answered by class means with some keys."""
    datastore, side, exclusive = (
        searching(data.datastore, keys),
        data.validation,
        data.task.exclusive,
    )
    scores, sums = scores_of(data, datastore, side, keys), sums_of(data, datastore)
    means = ClassMeans.fit(scores, side.targets, sums.counts, sums.rows, exclusive)
    return log_loss(means(scores, sums.counts, sums.rows), side.targets, data.task)


def _training(data: FitData, principal: KeyProjection, shrinkage: float) -> Split:
    """The training part, each fold looked up by keys and among rows of the others."""
    datastore, train, task = data.datastore, data.train, data.task
    speaking = rows_with_target(datastore, task)
    labels = task.table(datastore.rows, data.labels)
    positions = [np.full_like(n.positions, -1) for n in (train.neighbours, train.wide)]
    similarity = [np.zeros_like(n.similarity) for n in (train.neighbours, train.wide)]
    scores = np.zeros(train.targets.shape, np.float32)
    for fold in fold_of_groups(train.examples.groups, FOLDS, data.settings.seed):
        rest = np.setdiff1d(np.arange(len(train)), fold)
        part = train.examples.take(fold)
        others = ~np.isin(datastore.groups, part.seen_groups())
        if not len(fold) or not len(rest) or not (speaking & others).any():
            continue  # no row is left to be found
        features, targets = train.queries.features[rest], train.targets[rest]
        keys = Whitening.of(principal, features, targets).with_shrinkage(shrinkage)
        rows = searching(datastore, keys)
        found = seen_by(part, keys, rows, speaking, data.settings.k, others)
        for n, places, values in zip(found, positions, similarity, strict=True):
            places[fold], values[fold] = n.positions, n.similarity
        sums = KeySums.of(rows.keys[others], labels[others])
        scores[fold] = sums.scores(keys(part.features), task.exclusive)
    neighbours, wide = (Neighbours(p, v) for p, v in zip(positions, similarity, strict=True))
    return replace(train, neighbours=neighbours, wide=wide, scores=scores)
