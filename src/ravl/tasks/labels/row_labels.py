"""What the rows of a live view say, by name: each different thing that can be said is kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Followed, View
from ravl.store.blocks import spans
from ravl.tasks.labels.targets import LabelTargets

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Said = tuple[tuple[str, float], ...]  # names and their shares


class Sayings:
    """All different things that rows have said so far; numbers once given stay."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._codes: dict[Said, int] = {(): 0}
        self._columns: list[int] = []
        self._values: list[float] = []
        self._lengths: list[int] = [0]

    def code(self, shares: Mapping[str, float]) -> int:
        """The number of what a row says; 0 for nothing."""
        key = tuple(shares.items())
        found = self._codes.get(key)
        if found is None:
            found = self._codes[key] = len(self._codes)
            self._columns += [self.names.setdefault(name, len(self.names)) for name, _ in key]
            self._values += [value for _, value in key]
            self._lengths.append(len(key))
        return found

    def arrays(self) -> tuple[Ints, Array, Ints]:
        """Column and share of each name, one saying after the other, and how many each has."""
        return (
            np.array(self._columns, np.int64),
            np.array(self._values, np.float32),
            np.array(self._lengths, np.int64),
        )


@dataclass(frozen=True, eq=False)
class RowLabels:
    """What N rows say, at one moment.

    Args:
        codes: the number of what each row says, (N,).
        names: that have ever been said, by column.
        columns, values, lengths: see :meth:`Sayings.arrays`.
    """

    codes: Ints
    names: list[str]
    columns: Ints
    values: Array
    lengths: Ints

    @cached_property
    def counts(self) -> Array:
        """How often each name is said, (V,)."""
        times = np.bincount(self.codes, minlength=len(self.lengths))
        weights = self.values * np.repeat(times, self.lengths)
        return np.bincount(self.columns, weights, len(self.names)).astype(np.float32)

    @cached_property
    def speaks(self) -> Array:
        """1 for rows that say something, 0 for others, (N,)."""
        return (self.lengths[self.codes] > 0).astype(np.float32)

    def counts_at(self, places: Ints, width: int) -> Array:
        """How often each name of a label matrix is said, (C,).

        Args:
            places: the column of each name, (V,), -1 for none; see :func:`columns_of`.
            width: C.
        """
        counts = np.zeros(width, np.float32)
        there = places >= 0
        counts[places[there]] = self.counts[there]
        return counts

    def matrix(self, rows: Ints) -> csr_array:
        """What some rows say of each name, (m, V), sparse."""
        from scipy.sparse import csr_array

        codes = self.codes[rows]
        which = spans(self.lengths, codes)
        ends = np.concatenate([[0], np.cumsum(self.lengths[codes])])
        shape = len(codes), len(self.names)
        return csr_array((self.values[which].astype(np.float64), self.columns[which], ends), shape)

    def table(self, rows: Ints, places: Ints, width: int) -> Array:
        """What some rows say, (m, C).

        Args:
            rows: m of them.
            places: the column in the table of each name, (V,), -1 for none.
            width: C.
        """
        codes = self.codes[rows]
        which = spans(self.lengths, codes)
        columns = places[self.columns[which]]
        lines = np.repeat(np.arange(len(codes)), self.lengths[codes])
        there = columns >= 0
        found = np.zeros((len(codes), width), np.float32)
        found[lines[there], columns[there]] = self.values[which][there]
        return found


class FollowedLabels(Followed[RowLabels]):
    """What the rows say for a task; use :func:`labels_of` to share it."""

    def __init__(self, targets: LabelTargets) -> None:
        super().__init__()
        self._targets = targets
        self._sayings = Sayings()

    def follow(self, known: tuple[View, RowLabels] | None, view: View) -> RowLabels:
        """Only rows that say something else are read."""
        edit = view.edit_since(known[0] if known else None)
        if known is not None and not edit:
            return known[1]
        say = self._targets.shares
        codes = [self._sayings.code(say(row)) for row in view.rows_at(edit.added)]
        fresh = np.array(codes, np.int64)
        if known is None:
            return RowLabels(fresh, list(self._sayings.names), *self._sayings.arrays())
        old = known[1]
        if len(self._sayings.names) == len(old.names) and fresh.max(initial=0) < len(old.lengths):
            return RowLabels(
                edit.on(old.codes, fresh), old.names, old.columns, old.values, old.lengths
            )
        return RowLabels(
            edit.on(old.codes, fresh), list(self._sayings.names), *self._sayings.arrays()
        )


def labels_of(memory: Memory, targets: LabelTargets) -> FollowedLabels:
    """What a memory's rows say for a task, shared by all runs of it."""
    return memory.live.shared(("labels", targets), lambda: FollowedLabels(targets))


def columns_of(found: RowLabels, labels: Sequence[str]) -> tuple[list[str], Ints]:
    """Names as a model and a memory have them, and the column of each one that rows say.

    Args:
        found: what rows say.
        labels: C that the model knows.

    Returns:
        The labels, and then others that some row says now, sorted, C' in all; and the column among
        these of each name that was ever said, (V,), -1 for those that no row says any more.
    """
    places = {name: i for i, name in enumerate(labels)}
    counts = found.counts
    others = sorted(n for i, n in enumerate(found.names) if counts[i] > 0 and n not in places)
    names = [*labels, *others]
    places.update({name: i for i, name in enumerate(others, len(labels))})
    return names, np.array([places.get(name, -1) for name in found.names], np.int64)
