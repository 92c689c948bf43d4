"""The label matrix: the labels of the rows of a datastore, for the vote and the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.class_means import KeySums, scores_without
from ravl.models.propagation import propagate
from ravl.models.vote import LabelTable
from ravl.retrieval.datastore import Datastore, Ints
from ravl.tasks.labels.targets import LabelTargets


@dataclass(frozen=True, eq=False)
class LabelMatrix:
    """A datastore and the labels of its rows.

    Args:
        datastore: N rows.
        names: C' labels: first those that the model knows, in its order, then those that only
            the memory knows.
        known: how many the model knows, C.
        labels: of each row, (N, C'): 1 for its labels; shares where they were propagated.
        worth: how far each row is to be believed, (N,), 0 where it says nothing.
        own_counts: how many rows say each label themselves, (C',): labels that were propagated to
            a row do not count.
    """

    datastore: Datastore
    names: list[str]
    known: int
    labels: Array
    worth: Array
    own_counts: Array

    @property
    def table(self) -> LabelTable:
        """The labels, of which the caller may read only some rows."""
        return self.labels

    @cached_property
    def counts(self) -> Array:
        """How often each label occurs, (C',)."""
        counts: Array = (self.labels * self.worth[:, None]).sum(0)
        return counts

    @cached_property
    def sums(self) -> KeySums:
        """Sums of the keys of the rows by label, for class means."""
        return KeySums.of(self.datastore.keys, self.labels * self.worth[:, None])

    def speaking(self, rows: Ints) -> tuple[Array, Array]:
        """Keys (m, d) of some rows, and their labels by their worth (m, C')."""
        return self.datastore.keys_at(rows), self.table[rows] * self.worth[rows][:, None]

    def rows_of_labels(self, own: Sequence[Ints] | None = None) -> Array:
        """How many rows say each label themselves, (C',); (n, C') where some are hidden.

        Args:
            own: of each query the rows that it must not see; None for none.
        """
        if not own:
            return self.own_counts
        gone = [self.table[rows][self.worth[rows] == 1].sum(0) for rows in own]
        left: Array = np.maximum(self.own_counts - np.stack(gone), 0)
        return left

    def scores(self, keys: Array, exclusive: bool, own: Sequence[Ints] | None = None) -> Array:
        """How near keys are to the class means, (n, C').

        Args:
            keys: of n pictures, (n, d).
            exclusive: see :meth:`ravl.models.class_means.KeySums.scores`.
            own: of each picture the rows that it must not see; None for none.
        """
        if own is None:
            return self.sums.scores(keys, exclusive)
        return scores_without(keys, self.sums, own, self.speaking, exclusive)

    @classmethod
    def of(
        cls,
        datastore: Datastore,
        task: LabelTargets,
        labels: Sequence[str],
        spread: bool = False,
        hidden: NDArray[np.bool_] | None = None,
    ) -> LabelMatrix:
        """The labels of a datastore's rows: these, and others.

        Args:
            datastore: of the rows.
            task: that gives the labels of a row.
            labels: that the model knows.
            spread: propagate labels to the rows that have none.
            hidden: rows (N,) whose own labels must not be used: they are what is being judged.
        """
        known = set(labels)
        names = [*labels, *(name for name in task.names(datastore.rows) if name not in known)]
        table = task.table(datastore.rows, names)
        if hidden is not None:
            table[hidden] = 0
        worth, own = (table.sum(1) > 0).astype(np.float32), table.sum(0)
        if spread and task.exclusive and 0 < worth.sum() < len(worth):
            table, worth = propagate(datastore.keys, table)
        return cls(datastore, names, len(labels), table, worth, own)
