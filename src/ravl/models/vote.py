"""The neighbour vote: labels or tags of the nearest rows, weighted by similarity.

Non-parametric: a row counts as soon as it is added, and stops counting when it is deleted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.json_types import JsonObject, JsonRecord
from ravl.retrieval.datastore import Neighbours

MOST_NEIGHBOURS = 1_000_000
CAP = 1 / 8  # largest share of a row: one wrong row next to a query cannot decide alone
RIDGE_CAP = 1 / 4  # the same where neighbours have weights, which the ridge holds down already
KS = (4, 8, 16, 32, 64)
TEMPERATURES = (0.02, 0.04, 0.08, 0.16)
HALVINGS = 60  # of the scale in `cap_shares`, whose range may span thirty orders of magnitude


class LabelTable(Protocol):
    """What each row says, (N, C): an array, or what gives out some of its rows as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C)."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> Array:
        """Some of the rows, (m, C)."""


@dataclass(frozen=True, slots=True)
class Vote:
    """How neighbours vote.

    Args:
        k: the number of neighbours.
        ridge: part of a neighbour's share that goes by its weight beside the others, where
            neighbours have weights (see :class:`Neighbours`); the rest goes by its similarity.
        temperature: a neighbour's weight is exp(similarity / temperature), before capping.
        cap: largest share of one row; it has an effect only if at least 1 / cap rows vote.
        class_balance: each label's mass is divided by its frequency in the datastore to this power.
    """

    k: int = 32
    temperature: float = 0.04
    cap: float = CAP
    class_balance: float = 0.0
    ridge: float = 0.0

    def shares(self, neighbours: Neighbours, worth: Array | None = None) -> Array:
        """Each neighbour's share of its query's vote, (n, k); rows sum to 1, or to 0 if empty.

        Args:
            neighbours: of n queries.
            worth: weight of each row of the datastore, (N,); a row without labels has 0 and is
                replaced by the next neighbour.
        """
        nearest = neighbours.first(self.k)
        belief = nearest.found.astype(np.float32)  # (n, k)
        if worth is not None and belief.size:
            belief = belief * worth[nearest.positions]
        counts = belief > 0
        best = np.max(nearest.similarity, axis=1, keepdims=True, where=counts, initial=-1)
        ahead = np.where(
            counts, nearest.similarity - best, 0
        )  # among the rows that vote, so there is always a voter
        weights = np.exp(ahead / self.temperature) * belief
        shares = cap_shares(_parts_of_one(weights), self.cap)
        if not self.ridge or nearest.weights is None:
            return shares
        by_weight = nearest.weights * belief
        part = self.ridge * (by_weight.sum(1, keepdims=True) > 0)
        weighed = cap_shares(_parts_of_one(by_weight), RIDGE_CAP)
        mixed: Array = ((1 - part) * shares + part * weighed).astype(np.float32)
        return mixed

    def __call__(
        self,
        neighbours: Neighbours,
        labels: LabelTable,
        worth: Array | None = None,
        counts: Array | None = None,
    ) -> Array:
        """Share of the vote that each label gets, (n, C); all 0 without voters.

        For exclusive labels rows sum to 1; for tags each share is independent.

        Args:
            neighbours: of n queries.
            labels: labels of each row of the datastore, (N, C): 1 for its label or tags, or shares.
            worth: see :meth:`shares`.
            counts: how often the datastore has each label, (C,); None to count them in ``labels``.
        """
        nearest = neighbours.first(self.k)
        shares = self.shares(neighbours, worth)
        votes = np.zeros((len(nearest), labels.shape[1]), np.float32)
        for j in range(nearest.positions.shape[1]):  # k steps over (n, C), never (n, k, C) at once
            votes += shares[:, j : j + 1] * labels[nearest.positions[:, j]]
        if not self.class_balance:
            return votes
        if counts is None:
            every = labels[np.arange(labels.shape[0])]
            counts = (every if worth is None else every * worth[:, None]).sum(0)
        return rebalance(votes, counts, self.class_balance)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: JsonRecord) -> Vote:
        """The inverse of :meth:`to_json`; in older runs ``class_balance`` is called ``balance``.

        Raises:
            KeyError, TypeError, ValueError: the record is not that of a vote.
        """
        found = cls(**{"class_balance" if n == "balance" else n: v for n, v in record.items()})
        numbers = (found.temperature, found.cap, found.class_balance, found.ridge)
        if type(found.k) is not int or not all(type(n) in (int, float) for n in numbers):
            raise ValueError("a setting of the vote is not a number")
        sound = found.temperature > 0 and found.cap > 0 and 0 <= found.class_balance < np.inf
        if not sound or not 0 <= found.ridge <= 1 or not 0 < found.k < MOST_NEIGHBOURS:
            raise ValueError("a setting of the vote is out of its range")
        return found


def _parts_of_one(weights: Array) -> Array:
    """Weights (n, k) as shares; rows sum to 1, or to 0 if empty."""
    shares: Array = weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)
    return shares


def cap_shares(shares: Array, cap: float) -> Array:
    """Shares (n, k) scaled up and cut at the cap; rows still sum to 1.

    If fewer than 1 / cap rows vote, the cap is raised to an equal share for each.
    """
    wide = shares.astype(np.float64)
    limit = np.maximum(cap, 1 / np.maximum((wide > 0).sum(1, keepdims=True), 1))
    least = np.min(np.where(wide > 0, wide, 1.0), axis=1, keepdims=True, initial=1.0)
    low, high = np.ones_like(least), 1 / least
    for _ in range(HALVINGS):  # the scale that compensates the part that is cut off
        middle = np.sqrt(low * high)
        enough = np.minimum(middle * wide, limit).sum(1, keepdims=True) >= 1
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    cut: Array = np.minimum(high * wide, limit).astype(np.float32)
    return cut


def rebalance(votes: Array, counts: NDArray[np.floating], power: float) -> Array:
    """Votes (n, C) with each label's mass divided by its frequency in the datastore, to a power.

    A label with five rows among thousands is outvoted by the number of rows; power 0 changes
    nothing, power 1 compensates fully. Rows keep their sums.
    """
    if not power:
        return votes
    weighed = votes / np.maximum(counts, 1.0) ** power
    total = weighed.sum(1, keepdims=True)
    fair: Array = weighed * votes.sum(1, keepdims=True) / np.maximum(total, 1e-12)
    return fair.astype(np.float32)
