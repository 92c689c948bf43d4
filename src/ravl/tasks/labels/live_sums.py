"""Sums of the keys of a live view's rows by label: an edit adds and subtracts the rows it touches.

They are kept in double precision, so that many edits leave no trace in the means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.models.class_means import KeySums
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import DatastoreView, ProjectedKeys
from ravl.store.blocks import SIZE
from ravl.tasks.labels.row_labels import FollowedLabels, RowLabels


@dataclass(frozen=True, eq=False)
class RowSums:
    """Sums of the keys of N rows, by each name that was ever given.

    Args:
        datastore: whose keys they are.
        labels: of its rows; V names.
        sums: by name, (V, d).
        total: of all rows that have a label, (d,).
        rows: their number.
    """

    datastore: DatastoreView
    labels: RowLabels
    sums: NDArray[np.float64]
    total: NDArray[np.float64]
    rows: float

    def at(self, places: Ints, width: int) -> KeySums:
        """By the names of a label matrix, see :meth:`ravl.models.class_means.KeySums.at`."""
        known = len(places)
        counts = self.labels.counts[:known].astype(np.float64)
        return KeySums(self.sums[:known], counts, self.total, self.rows).at(places, width)


class LabelSums(Followed[RowSums]):
    """The sums of a live view.

    Args:
        labels: of the rows.
        keys: by which the rows are compared.
    """

    def __init__(self, labels: FollowedLabels, keys: ProjectedKeys) -> None:
        super().__init__()
        self._labels, self._keys = labels, keys

    def follow(self, known: tuple[View, RowSums] | None, view: View) -> RowSums:
        """The rows that have gone or changed are subtracted, those that are new are added."""
        datastore, labels = self._keys.at(view), self._labels.at(view)
        width = datastore.blocks.shape[1]
        sums, total, rows = np.zeros((len(labels.names), width)), np.zeros(width), 0.0
        if known is None or known[1].sums.shape[1] != width:  # another encoder
            touched = [(1, datastore, labels, np.arange(len(view)))]
        else:
            old = known[1]
            sums[: len(old.sums)] += old.sums
            total, rows = old.total.copy(), old.rows
            edits = view.edit_since(known[0]), view.seen_since(known[0])
            removed = np.union1d(*(edit.removed for edit in edits))
            added = np.union1d(*(edit.added for edit in edits))
            touched = [(-1, old.datastore, old.labels, removed), (1, datastore, labels, added)]
        for sign, where, row_labels, positions in touched:
            for start in range(0, len(positions), SIZE):
                some = positions[start : start + SIZE]
                some = some[row_labels.speaks[some] > 0]
                keys = where.blocks[some].astype(np.float64)
                found = row_labels.matrix(some).T @ keys
                sums[: len(found)] += sign * found
                total += sign * keys.sum(0)
                rows += sign * len(some)
        return RowSums(datastore, labels, sums, total, rows)
