"""The data that every level of a predictor stands on: examples, evidence, and what may be seen.

The datastore leaves out all rows that show a held-out picture, and a training example never
sees itself or a near-duplicate among its neighbours (*leave-self-out*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.models.linear import Loss, label_weights
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.evidence_bank import DEEPEST, evidence
from ravl.training.examples import Examples
from ravl.training.fit_settings import FitSettings
from ravl.training.splits import SPLIT_NAMES, Splits

if TYPE_CHECKING:  # it stands on this data
    from ravl.tasks.labels.rerank_fit import RerankedNeighbours


@dataclass(frozen=True, eq=False)
class Split:
    """One split of the examples.

    Args:
        examples: n pictures.
        queries: their features.
        targets: (n, C); a row of zeros for a label that training does not know.
        neighbours: among the rows of the datastore that say something for the task.
        wide: their neighbours among all rows, for labels that are propagated to them.
        scores: of the class means, (n, C), see :meth:`ravl.models.class_means.KeySums.scores`; None
            where keys are not whitened.
    """

    examples: Examples
    queries: Queries
    targets: Array
    neighbours: Neighbours
    wide: Neighbours
    scores: Array | None = None

    def __len__(self) -> int:
        return len(self.examples)

    def seen(self, spread: bool) -> Neighbours:
        """The neighbours that vote, with labels propagated or without."""
        return self.wide if spread else self.neighbours

    def take(self, chosen: Ints) -> Split:
        """Some of the examples."""
        return Split(
            self.examples.take(chosen),
            self.queries.take(chosen),
            self.targets[chosen],
            self.neighbours.take(chosen),
            self.wide.take(chosen),
            None if self.scores is None else self.scores[chosen],
        )


@dataclass(frozen=True, eq=False)
class FitData:
    """All that fitting and judging a predictor needs.

    Args:
        memory: whose rows are evidence.
        task: classify, tag or ask.
        settings: of the fit.
        examples: all labelled pictures.
        splits: of them.
        labels: C names, those of the training split.
        datastore: of the memory, without what is held out.
        keys: by which neighbours are found.
        train, validation, test: the splits.
        loss: of the model.
        learned: the keys have seen the labels of the training split, see
            :mod:`ravl.tasks.labels.keys.data`.
        shrinkage: by which the keys were whitened; None where they are not.
        tuned: everything is seen by a fine-tuned tower, which has learned the training labels.
        second: what looking at the neighbours of all splits again came to, if they have been.
    """

    memory: Memory
    task: LabelTargets
    settings: FitSettings
    examples: Examples
    splits: Splits
    labels: list[str]
    datastore: Datastore
    keys: KeyProjection
    train: Split
    validation: Split
    test: Split
    loss: Loss
    learned: bool = False
    shrinkage: float | None = None
    tuned: bool = False
    second: RerankedNeighbours | None = None

    @property
    def trained_keys(self) -> bool:
        """Whether the keys were trained with the task, and not only whitened."""
        return self.learned and self.shrinkage is None

    def truth(self, side: Split) -> Ints:
        """What metrics compare with, among the labels of the training split."""
        return self.task.truth(side.examples.rows, self.labels)

    def seen_by_tower(self, tuned: dict[str, Array], rows: Array) -> FitData:
        """The same, seen and searched by a fine-tuned tower.

        Args:
            tuned: features (n, F) of each split by its name.
            rows: features of the datastore's rows, (N, F).
        """

        def seen(name: str, side: Split) -> Split:
            queries = replace(side.queries, tuned=tuned[name])
            examples = replace(side.examples, features=tuned[name])
            return replace(side, queries=queries, examples=examples)

        keys = self.task.keys(rows)
        found = replace(
            self,
            tuned=True,
            datastore=replace(self.datastore, features=rows),
            train=seen("train", self.train),
            test=seen("test", self.test),
            validation=seen("validation", self.validation),
        )
        return searched_by(found, keys, rows_with_target(self.datastore, self.task))


def prepare(
    memory: Memory, task: LabelTargets, settings: FitSettings, examples: Examples, splits: Splits
) -> FitData:
    """Make ready what is fitted on.

    Raises:
        DataError: too few labels, or no evidence.
    """
    taken = {
        name: examples_of(examples.take(getattr(splits, name)), task, memory)
        for name in SPLIT_NAMES
    }
    labels = labels_of(taken["train"].rows, task, settings.min_examples)
    # What was generated may be evidence, but nothing is learned from it, nor judged by it.
    task = replace(task, generated=settings.use_generated)
    datastore, keys = evidence(memory, [taken["validation"], taken["test"]], task)
    speaking = rows_with_target(datastore, task)

    def side(part: Examples) -> Split:
        neighbours, wide = seen_by(part, keys, datastore, speaking, settings.k)
        return Split(part, Queries(part.features), task.table(part.rows, labels), neighbours, wide)

    sides = {name: side(part) for name, part in taken.items()}
    weights = label_weights(sides["train"].targets, task.exclusive, settings.class_weights)
    loss = Loss(task.exclusive, weights, settings.label_smoothing)
    return FitData(
        memory,
        task,
        settings,
        examples,
        splits,
        labels,
        datastore,
        keys,
        sides["train"],
        sides["validation"],
        sides["test"],
        loss,
    )


def examples_of(examples: Examples, task: LabelTargets, memory: Memory) -> Examples:
    """What is to be answered about some pictures: they themselves, or questions about them."""
    rows, features, owners = task.examples(examples.rows, examples.features, memory)
    return replace(examples.take(owners), rows=rows, features=features)


def rows_with_target(datastore: Datastore, task: LabelTargets) -> NDArray[np.bool_]:
    """Which rows of a datastore say something for the task, (N,)."""
    return np.array([bool(task.of(row)) for row in datastore.rows], bool)


def seen_by(
    part: Examples,
    keys: KeyProjection,
    datastore: Datastore,
    speaking: NDArray[np.bool_],
    k: int,
    among: NDArray[np.bool_] | None = None,
) -> tuple[Neighbours, Neighbours]:
    """``neighbours`` and ``wide`` of a split, as deep as any vote looks.

    Args:
        part: of the examples.
        keys: that the datastore is searched by.
        datastore: N rows.
        speaking: see :func:`rows_with_target`.
        k: neighbours that vote, where that is fixed.
        among: rows that may be found, (N,); None for all.
    """
    looked, depth = keys(part.features), min(max(DEEPEST, k), len(datastore))
    neighbours = datastore.neighbours(
        looked, depth, part.shown, speaking if among is None else speaking & among
    )
    neighbours = datastore.weighed(neighbours, looked, keys)
    return neighbours, neighbours if speaking.all() else datastore.neighbours(
        looked, depth, part.shown, among
    )


def searched_by(
    data: FitData,
    keys: KeyProjection,
    speaking: NDArray[np.bool_],
    train: Split | None = None,
) -> FitData:
    """The data with other keys, all splits looked up again; none has scores of class means.

    Args:
        data: to look up.
        keys: to search by.
        speaking: see :func:`rows_with_target`.
        train: the training split where it was looked up otherwise; None to look it up by the keys.
    """
    datastore = searching(data.datastore, keys)

    def side(part: Split) -> Split:
        neighbours, wide = seen_by(part.examples, keys, datastore, speaking, data.settings.k)
        return replace(part, neighbours=neighbours, wide=wide, scores=None)

    return replace(
        data,
        datastore=datastore,
        keys=keys,
        train=side(data.train) if train is None else train,
        test=side(data.test),
        validation=side(data.validation),
    )


def searching(datastore: Datastore, keys: KeyProjection) -> Datastore:
    """The rows as they are compared by other keys."""
    return replace(datastore, keys=keys(datastore.features))


def labels_of(rows: Sequence[Row], task: LabelTargets, fewest: int) -> list[str]:
    """The names that can be learned from some training pictures.

    Raises:
        DataError: there is nothing to tell apart.
    """
    labels = task.names(rows, fewest)
    if len(labels) < (2 if task.exclusive else 1):
        raise DataError(_too_few(task, labels, len(rows), fewest))
    return labels


def _too_few(task: LabelTargets, labels: list[str], count: int, fewest: int) -> str:
    noun = task.noun
    often = f" that at least {fewest} {task.unit}s have" if fewest > 1 else ""
    if labels:
        return (
            f"All {count:,} training {task.unit}s have the {noun} {labels[0]!r}. There is nothing "
            f"to tell apart: give {task.unit}s of at least two {noun}s{often}."
        )
    return f"The {count:,} training {task.unit}s have no {noun}{often}."
