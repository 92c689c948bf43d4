"""Hubs: rows that are neighbours of too many other rows, so they vote too often.

How often a row is among the k nearest of others is its k-occurrence (Radovanovic et al. 2010). A
row with a high k-occurrence among rows of other labels misleads all of them: by chance, or because
somebody planted it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.checking.check_data import CheckData, certainty, excess
from ravl.checking.issue import Fix, Issue, ranked
from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints

K = 10
OFTEN = 3.5  # spreads above the usual value of the memory
SEEN = 2 * K  # minimum k-occurrence for a check of the labels
MISLED = 0.5  # share of rows with another label above which the fix is to drop the row
CHANCE = 0.01  # probability that any row of a memory misleads as many rows by chance


def hubs(data: CheckData) -> list[Issue]:
    """Rows that are neighbours of unusually many rows, or of many with other labels."""
    neighbours = data.neighbours.first(K)
    if not neighbours.found.any():
        return []
    count = occurrences(data, neighbours.positions)
    wrong = occurrences(
        data, np.where(_differ(data, neighbours.positions), neighbours.positions, -1)
    )
    often, doubt = excess(np.log1p(count)), _by_chance(data, count, wrong)
    usual = float(np.median(count))
    found = []
    misleads = (doubt < CHANCE) & (count >= SEEN)
    for i in np.flatnonzero((misleads | (often > OFTEN)) & data.chosen).tolist():
        share = float(wrong[i] / max(count[i], 1))
        why = f"It is among the {K} nearest of {count[i]:,.0f} rows; usual is {usual:,.0f}"
        if misleads[i]:
            own = data.datastore.rows[i].label
            why += f"; {share:.0%} of them have another label than its {own!r}"
        score = share * (1 - float(doubt[i])) if misleads[i] else certainty(float(often[i]), OFTEN)
        fix: Fix | None = "drop" if misleads[i] and share >= MISLED else None
        near_ids = data.nearest_ids(i)
        found.append(Issue("hub", (data.id(i),), score, f"{why}.", fix, None, near_ids))
    return ranked(found)


def _by_chance(data: CheckData, count: Array, wrong: Array) -> Array:
    """The probability that any row misleads as many rows by chance as each row does, (N,).

    Some labels are closer to others, so each label has its own rate of misleading (Bonferroni's
    bound of the binomial tail).
    """
    from scipy.stats import binom

    doubt = np.ones(len(data))
    for y in range(len(data.labels)):
        its = np.flatnonzero(data.label == y)
        rate = wrong[its].sum() / max(count[its].sum(), 1)
        doubt[its] = binom.sf(wrong[its] - 1, count[its], rate) * len(data)
    return np.minimum(doubt, 1.0)


def occurrences(data: CheckData, positions: Ints) -> Array:
    """The number of times each row occurs among the neighbours, (N,)."""
    counts: Array = np.bincount(positions[positions >= 0], minlength=len(data)).astype(np.float32)
    return counts


def _differ(data: CheckData, positions: Ints) -> NDArray[np.bool_]:
    """True where a neighbour has another label than the row itself, (N, k)."""
    its, own = data.label[positions], data.label[:, None]
    differ: NDArray[np.bool_] = (positions >= 0) & (its >= 0) & (own >= 0) & (its != own)
    return differ
