"""Class imbalance: labels that have far fewer rows than others, or far more."""

from __future__ import annotations

import numpy as np

from ravl.checking.check_data import CheckData
from ravl.checking.issue import Issue, ranked

RARE = 4  # factor below or above the median number of rows of a label
NAMED = 12  # maximal number of rows in a finding


def imbalances(data: CheckData) -> list[Issue]:
    """Labels with ``RARE`` times fewer or more rows than the median label."""
    labels = np.where(data.chosen, data.label, -1)
    counts = np.bincount(labels[labels >= 0], minlength=len(data.labels))
    if (counts > 0).sum() < 2:
        return []
    middle = float(np.median(counts[counts > 0]))
    found = []
    for y in np.flatnonzero(counts).tolist():
        share = float(counts[y]) / middle
        if 1 / RARE < share < RARE:
            continue
        few = share <= 1
        why = (
            f"The label {data.labels[y]!r} has {counts[y]:,} rows; usual are {middle:,.0f} "
            f"for a label here. "
            + (
                "It will seldom be answered: add more rows of it."
                if few
                else "It may be answered too often: weigh labels with ravl fit --class-weights."
            )
        )
        ids = tuple(data.id(i) for i in np.flatnonzero(labels == y)[:NAMED].tolist())
        found.append(Issue("imbalance", ids, 1 - (share if few else 1 / share), why))
    return ranked(found)
