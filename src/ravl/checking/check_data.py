"""The data of all checks: the rows with their features, and the neighbours of each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ravl.checking.motifs import find_motifs
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.retrieval.datastore import Datastore, Ints, Neighbours, read_datastore

NEIGHBOURS = 32  # neighbours of each row
SHOWN = 6  # number of neighbours in a finding


@dataclass(frozen=True, eq=False)
class CheckData:
    """The pictures of a memory, prepared for the checks.

    All pictures are evidence; findings are only about the chosen ones.

    Args:
        memory: the memory to check.
        datastore: all N rows with a picture's features.
        chosen: True for rows that can be reported, (N,).
        neighbours: the nearest rows of each row, without its near-duplicates, (N, ``NEIGHBOURS``).
    """

    memory: Memory
    datastore: Datastore
    chosen: NDArray[np.bool_]
    neighbours: Neighbours

    @classmethod
    def of(cls, memory: Memory, where: str | None = None) -> CheckData:
        """The check data of a memory.

        Raises:
            DataError: the memory contains no picture.
            FilterError: the filter is not valid or has an unknown column.
        """
        datastore = read_datastore(memory)
        chosen = np.ones(len(datastore), bool)
        if where is not None:
            chosen = np.isin(datastore.numbers, memory.matching(where))
        own = [np.array([group], np.int64) for group in datastore.groups]
        neighbours = datastore.neighbours(datastore.keys, min(NEIGHBOURS, len(datastore)), own)
        return cls(memory, datastore, chosen, neighbours)

    def __len__(self) -> int:
        return len(self.datastore)

    def id(self, position: int) -> str:
        """The id of the row at a position."""
        return self.datastore.rows[position].id

    def nearest_ids(self, position: int) -> tuple[str, ...]:
        """Ids of the nearest rows of a row, for comparison by people."""
        neighbours = self.neighbours.positions[position, :SHOWN]
        return tuple(self.id(i) for i in neighbours[neighbours >= 0].tolist())

    @cached_property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted({row.label for row in self.datastore.rows if row.label})

    @cached_property
    def label(self) -> Ints:
        """Number of each row's label, (N,), -1 without a label."""
        number = {name: i for i, name in enumerate(self.labels)}
        return np.array([number.get(row.label or "", -1) for row in self.datastore.rows], np.int64)

    @cached_property
    def motifs(self) -> list[list[int]]:
        """Positions of near-duplicates, two or more in each group, including a chosen row."""
        return [
            its for its in find_motifs(self.datastore, self.neighbours) if self.chosen[its].any()
        ]


def excess(values: Array) -> Array:
    """The distance of each value above the median, in spreads, (n,).

    The spread is the median absolute deviation, scaled to the standard deviation of a normal
    distribution, because outliers hardly change it (Rousseeuw & Croux 1993).
    """
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    found: Array = (values - middle) / max(float(spread), 1e-6)
    return found


def certainty(excess: float, least: float) -> float:
    """An excess as a score: 0.5 at the limit of the check, towards 1 beyond it."""
    return excess / (excess + least)
