"""Testimony: what the rows of a bank say for one task, made ready for the vote and the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.propagation import propagate
from ravl.models.vote import LabelTable
from ravl.retrieval.datastore import Datastore
from ravl.tasks.labels.targets import LabelTargets


@dataclass(frozen=True, eq=False)
class LabelMatrix:
    """A bank and what its rows say.

    Args:
        bank: N rows.
        names: C' labels: first those that the model knows, in its order, then those that only
            the memory knows.
        known: how many the model knows, C.
        said: by each row, (N, C'): 1 for its labels; shares where they were propagated.
        worth: how far each row is to be believed, (N,), 0 where it says nothing.
    """

    datastore: Datastore
    names: list[str]
    known: int
    said: Array
    worth: Array

    @property
    def table(self) -> LabelTable:
        """What rows say, of which only some may be looked at."""
        return self.said

    @cached_property
    def counts(self) -> Array:
        """How often each label is said, (C',)."""
        counts: Array = (self.said * self.worth[:, None]).sum(0)
        return counts

    @classmethod
    def of(
        cls,
        datastore: Datastore,
        task: LabelTargets,
        labels: Sequence[str],
        spread: bool = False,
        hidden: NDArray[np.bool_] | None = None,
    ) -> LabelMatrix:
        """What a bank says about these labels, and others.

        Args:
            bank: whose rows speak.
            task: that tells what a row says.
            labels: that the model knows.
            spread: propagate labels to the rows that have none.
            hidden: rows (N,) whose own labels must not be used: they are what is being judged.
        """
        known = set(labels)
        names = [*labels, *(name for name in task.names(datastore.rows) if name not in known)]
        said = task.table(datastore.rows, names)
        if hidden is not None:
            said[hidden] = 0
        worth = (said.sum(1) > 0).astype(np.float32)
        if spread and task.exclusive and 0 < worth.sum() < len(worth):
            said, worth = propagate(datastore.keys, said)
        return cls(datastore, names, len(labels), said, worth)
