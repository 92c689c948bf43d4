"""The ground as it is searched by learned keys, without any example having seen itself.

Keys that were learned from an example's label find others of that label all too well. So the
neighbours of training examples are those found by keys that were learned on other folds, among the
rows of these; as a new picture is looked up by keys that never saw it, among rows that they saw.
What is fitted on them (vote, gate, reader) then stays as honest as with frozen keys.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.models.linear import fold_of_groups
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import FitData, Split, seen_by, speaking_rows
from ravl.tasks.labels.keys.learned import (
    FLOOR,
    TEMPERATURE,
    Learned,
    Preferences,
    TrainingExamples,
    learn_keys,
)
from ravl.tasks.labels.levels import surprise
from ravl.training.evidence_bank import DEEPEST

FOLDS = 3


@dataclass(frozen=True, eq=False)
class LearnedGround:
    """A ground with learned keys.

    Args:
        ground: that is searched by them.
        learned: what learning says of itself.
        seconds: of learning, folds included.
    """

    ground: FitData
    learned: Learned
    seconds: float


def learned_ground(ground: FitData, preferred: Preferences | None = None) -> LearnedGround | None:
    """Learn keys and look everything up again; None where no epoch was better than frozen keys.

    Args:
        ground: with frozen keys.
        preferred: by a reader, for the training examples; positions are those of the bank.
    """
    began = time.monotonic()
    speaking = speaking_rows(ground.bank, ground.task)
    everyone = np.arange(len(ground.train))
    lesson = lesson_of(ground, speaking, everyone, preferred)
    learned = learn_keys(ground.keys, lesson, held=lambda keys: held_surprise(ground, lesson, keys))
    if not learned.epochs:
        return None
    turned = searched_by(ground, learned.keys, speaking)
    near, wide = _of_training(ground, speaking, preferred, learned.epochs)
    train = replace(turned.train, near=near, wide=wide)
    turned = replace(turned, train=train, learned=True)
    return LearnedGround(turned, learned, round(time.monotonic() - began, 1))


def lesson_of(
    ground: FitData, rows: NDArray[np.bool_], examples: Ints, preferred: Preferences | None
) -> TrainingExamples:
    """What keys learn from some rows of the bank (N,) and some training examples."""
    bank, side = ground.bank.only(rows), ground.train.take(examples)
    said = ground.task.table(bank.rows, ground.labels)
    if preferred is not None:
        preferred = _among(preferred, rows, examples)
    return TrainingExamples(
        bank,
        said,
        side.queries.features,
        side.targets,
        list(side.labelled.shown),
        ground.loss,
        preferred,
        ground.settings.seed,
    )


def _among(preferred: Preferences, rows: NDArray[np.bool_], examples: Ints) -> Preferences:
    """Preferences of some examples among some rows (N,), by their positions among these."""
    place = np.append(np.where(rows, np.cumsum(rows) - 1, -1), -1)  # of no row: none
    positions = place[preferred.positions[examples]]
    shares = np.where(positions >= 0, preferred.shares[examples], 0)
    total = np.maximum(shares.sum(1, keepdims=True), 1e-9)
    return Preferences(positions, (shares / total).astype(np.float32), preferred.weights[examples])


def held_surprise(ground: FitData, lesson: TrainingExamples, keys: KeyProjection) -> float:
    """How unlikely the validation part is, answered as keys learn to answer."""
    bank = _with(lesson.bank, keys)
    part = ground.validation
    k = min(DEEPEST, len(bank))
    near = bank.neighbours(keys(part.queries.features), k, part.labelled.shown)
    votes = Vote(k, TEMPERATURE, cap=1.0)(near, lesson.said)
    smooth = (1 - FLOOR) * votes + FLOOR * lesson.targets.mean(0)
    return surprise(smooth, part.targets, ground.task)


def searched_by(ground: FitData, keys: KeyProjection, speaking: NDArray[np.bool_]) -> FitData:
    """The ground with other keys, all parts looked up again."""
    bank = _with(ground.bank, keys)

    def side(part: Split) -> Split:
        near, wide = seen_by(part.labelled, keys, bank, speaking, ground.settings.k)
        return replace(part, near=near, wide=wide)

    return replace(
        ground,
        bank=bank,
        keys=keys,
        train=side(ground.train),
        test=side(ground.test),
        validation=side(ground.validation),
    )


def _of_training(
    ground: FitData, speaking: NDArray[np.bool_], preferred: Preferences | None, epochs: int
) -> tuple[Neighbours, Neighbours]:
    """Neighbours of the training examples by keys of other folds, near and wide."""
    bank, train = ground.bank, ground.train
    sides = [np.full_like(n.positions, -1) for n in (train.near, train.wide)]
    similarity = [np.zeros_like(n.similarity) for n in (train.near, train.wide)]
    for fold in fold_of_groups(train.labelled.groups, FOLDS, ground.settings.seed):
        rest = np.setdiff1d(np.arange(len(train)), fold)
        part = train.labelled.take(fold)
        others = ~np.isin(bank.groups, part.seen_groups())
        if not len(fold) or not len(rest) or not (speaking & others).any():
            continue  # nobody is left to be found
        lesson = lesson_of(ground, speaking & others, rest, preferred)
        keys = learn_keys(ground.keys, lesson, epochs).keys
        found = seen_by(part, keys, _with(bank, keys), speaking, ground.settings.k, others)
        for neighbours, positions, values in zip(found, sides, similarity, strict=True):
            positions[fold], values[fold] = neighbours.positions, neighbours.similarity
    near, wide = (Neighbours(p, v) for p, v in zip(sides, similarity, strict=True))
    return near, wide


def _with(bank: Datastore, keys: KeyProjection) -> Datastore:
    return replace(bank, keys=keys(bank.features))
