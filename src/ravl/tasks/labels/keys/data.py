"""The data as it is searched by learned keys, without any example having seen itself.

How training examples are looked up is said in :mod:`ravl.tasks.labels.keys.folds`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.models.held_out import log_loss
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import FitData, rows_with_target, searched_by, searching
from ravl.tasks.labels.keys.folds import training_by_folds
from ravl.tasks.labels.keys.learned import (
    FLOOR,
    TEMPERATURE,
    Learned,
    Preferences,
    TrainingExamples,
    learn_keys,
)
from ravl.training.evidence_bank import DEEPEST

FOLDS = 3


@dataclass(frozen=True, eq=False)
class LearnedData:
    """Data with learned keys.

    Args:
        data: that is searched by them.
        learned: what learning says of itself.
        seconds: of learning, folds included.
    """

    data: FitData
    learned: Learned
    seconds: float


def learned_data(data: FitData, preferred: Preferences | None = None) -> LearnedData | None:
    """Learn keys and look everything up again; None where no epoch was better than frozen keys.

    Args:
        data: with frozen keys.
        preferred: by a reader, for the training examples; positions are those of the datastore.
    """
    began = time.monotonic()
    speaking = rows_with_target(data.datastore, data.task)
    everyone = np.arange(len(data.train))
    lesson = lesson_of(data, speaking, everyone, preferred)
    learned = learn_keys(data.keys, lesson, held=lambda keys: held_surprise(data, lesson, keys))
    if not learned.epochs:
        return None

    def learn(examples: Ints, rows: NDArray[np.bool_]) -> KeyProjection:
        some = lesson_of(data, speaking & rows, examples, preferred)
        return learn_keys(data.keys, some, learned.epochs).keys

    train = training_by_folds(data, speaking, FOLDS, learn)
    turned = replace(searched_by(data, learned.keys, speaking, train), learned=True)
    return LearnedData(turned, learned, round(time.monotonic() - began, 1))


def lesson_of(
    data: FitData, rows: NDArray[np.bool_], examples: Ints, preferred: Preferences | None
) -> TrainingExamples:
    """What keys learn from some rows of the datastore (N,) and some training examples."""
    datastore, side = data.datastore.only(rows), data.train.take(examples)
    labels = data.task.table(datastore.rows, data.labels)
    if preferred is not None:
        preferred = _among(preferred, rows, examples)
    return TrainingExamples(
        datastore,
        labels,
        side.queries.seen,
        side.targets,
        list(side.examples.shown),
        data.loss,
        preferred,
        data.settings.seed,
    )


def _among(preferred: Preferences, rows: NDArray[np.bool_], examples: Ints) -> Preferences:
    """Preferences of some examples among some rows (N,), by their positions among these."""
    place = np.append(np.where(rows, np.cumsum(rows) - 1, -1), -1)  # of no row: none
    positions = place[preferred.positions[examples]]
    shares = np.where(positions >= 0, preferred.shares[examples], 0)
    total = np.maximum(shares.sum(1, keepdims=True), 1e-9)
    return Preferences(positions, (shares / total).astype(np.float32), preferred.weights[examples])


def held_surprise(data: FitData, lesson: TrainingExamples, keys: KeyProjection) -> float:
    """How unlikely the validation split is, answered as keys learn to answer."""
    datastore = searching(lesson.datastore, keys)
    part = data.validation
    k = min(DEEPEST, len(datastore))
    neighbours = datastore.neighbours(keys(part.queries.seen), k, part.examples.shown)
    votes = Vote(k, TEMPERATURE, cap=1.0)(neighbours, lesson.labels)
    smooth = (1 - FLOOR) * votes + FLOOR * lesson.targets.mean(0)
    return log_loss(smooth, part.targets, data.task.exclusive)
