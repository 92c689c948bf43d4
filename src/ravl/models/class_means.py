"""Class means: a picture is compared with the mean key of the rows of each label.

The means are those of the memory at this moment: a row counts as soon as it is added, and a label
that only the memory knows is answered as well as any other. With keys that are whitened by the
covariance within the labels this is linear discriminant analysis with cosines (Fisher 1936; for
later classes: Hayes & Kanan 2020, "Streaming LDA"). Closed form, NumPy and SciPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, normalise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TINY = 1e-6
ABSENT = -2.0  # the score of a label that no row has; cosines are at least -1
WEAK = 1e-3  # weight of the squared parameters in the fit: with few examples they stay small


@dataclass(frozen=True, eq=False)
class KeySums:
    """Sums of the keys of a memory's rows, by label.

    Args:
        sums: of the rows that have each label, by their share, (C, d).
        counts: of these rows, (C,).
        total: sum of the keys of all rows that have a label, (d,).
        rows: their number.
    """

    sums: Floats
    counts: Floats
    total: Floats
    rows: float

    @classmethod
    def of(cls, keys: Array, labels: Array) -> KeySums:
        """From keys (N, d) and labels (N, C), 1 for the labels of a row or shares of it."""
        speaks = labels.sum(1) > 0
        some = keys[speaks].astype(np.float64)
        table = labels[speaks].astype(np.float64)
        return cls(table.T @ some, table.sum(0), some.sum(0), float(speaks.sum()))

    def __add__(self, other: KeySums) -> KeySums:
        return KeySums(
            self.sums + other.sums,
            self.counts + other.counts,
            self.total + other.total,
            self.rows + other.rows,
        )

    def __sub__(self, other: KeySums) -> KeySums:
        return KeySums(
            self.sums - other.sums,
            self.counts - other.counts,
            self.total - other.total,
            self.rows - other.rows,
        )

    def take(self, labels: Ints) -> KeySums:
        """Those of some labels."""
        return KeySums(self.sums[labels], self.counts[labels], self.total, self.rows)

    def at(self, places: Ints, width: int) -> KeySums:
        """By other labels: the place of each among ``width`` labels, (C,); -1 for none."""
        there = places >= 0
        sums, counts = np.zeros((width, self.sums.shape[1])), np.zeros(width)
        sums[places[there]], counts[places[there]] = self.sums[there], self.counts[there]
        return KeySums(sums, counts, self.total, self.rows)

    def scores(self, keys: Array, exclusive: bool) -> Array:
        """How much nearer each key is to the rows of a label than to others, (n, C).

        Args:
            keys: of n pictures, unit vectors (n, d).
            exclusive: True for one label a picture: the cosine with the mean of its rows. False
                for tags: that less the cosine with the mean of the rows without the tag.

        A label without rows has ``ABSENT``.
        """
        found = keys @ _units(self.sums).T
        if not exclusive:
            found = found - keys @ _units(self.total - self.sums).T
        return np.where(self.counts > TINY, found, ABSENT).astype(np.float32)


def scores_without(
    keys: Array,
    sums: KeySums,
    own: Sequence[Ints],
    rows: Callable[[Ints], tuple[Array, Array]],
    exclusive: bool,
) -> Array:
    """Scores (n, C) of pictures that are rows themselves, each without itself.

    Args:
        keys: of n pictures, (n, d).
        sums: of all rows.
        own: of each picture the rows that show it.
        rows: gives keys (m, d) and labels (m, C) of some rows.
        exclusive: see :meth:`KeySums.scores`.
    """
    found = sums.scores(keys, exclusive)
    every = np.arange(len(sums.counts))
    for i, mine in enumerate(own):
        if not len(mine):
            continue
        its, labels = rows(mine)
        if not labels.any():
            continue
        touched = np.flatnonzero(labels.any(0)) if exclusive else every
        without = sums.take(touched) - KeySums.of(its, labels[:, touched])
        found[i, touched] = without.scores(keys[i : i + 1], exclusive)[0]
    return found


@dataclass(frozen=True, slots=True)
class ClassMeans:
    """How scores become probabilities.

    Args:
        exclusive: True for one label per picture, False for tags.
        scale: of the scores.
        prior: how much the frequency of a label counts, 0 for not at all.
        bias: of tags.
    """

    exclusive: bool
    scale: float
    prior: float = 0.0
    bias: float = 0.0

    def __call__(self, scores: Array, counts: NDArray[np.floating], rows: float) -> Array:
        """Probabilities (n, C) from scores (n, C); all 0 where no label has rows.

        Args:
            scores: see :meth:`KeySums.scores`.
            counts: of the rows of each label, (C,).
            rows: the number of rows that have a label.
        """
        there = scores > ABSENT
        if self.exclusive:
            logits = self.scale * scores + self.prior * np.log(np.maximum(counts, 1))
            logits = np.where(there, logits, -np.inf)
            best = np.max(logits, axis=1, keepdims=True, initial=-1e30)
            odds = np.exp(logits - best)
            found = odds / np.maximum(odds.sum(1, keepdims=True), TINY)
            return np.asarray(found, np.float32)
        rates = np.clip(counts / max(rows, 1.0), TINY, 1 - TINY)
        logits = self.scale * scores + self.prior * np.log(rates / (1 - rates)) + self.bias
        found = np.where(there, 1 / (1 + np.exp(-np.clip(logits, -30, 30))), 0)
        return np.asarray(found, np.float32)

    @classmethod
    def fit(
        cls,
        scores: Array,
        targets: Array,
        counts: NDArray[np.floating],
        rows: float,
        exclusive: bool,
    ) -> ClassMeans:
        """The parameters under which the targets of unseen examples are likeliest.

        Args:
            scores: of examples that are not among the rows, (n, C).
            targets: (n, C) 0 or 1; a row without a 1 is ignored if labels are exclusive.
            counts, rows: see :meth:`__call__`.
            exclusive: see the class.
        """
        from scipy.optimize import minimize

        known = targets.sum(1) > 0 if exclusive else np.ones(len(targets), bool)
        start = np.array([np.log(20.0), 0.0, 0.0] if exclusive else [np.log(5.0), 1.0, 0.0])
        if not known.any():
            return cls(exclusive, float(np.exp(start[0])), *start[1:].tolist())
        some, wanted = scores[known], targets[known]

        def loss(values: Floats) -> float:
            model = cls(exclusive, float(np.exp(values[0])), float(values[1]), float(values[2]))
            p = np.clip(model(some, counts, rows), 1e-4, 1 - 1e-4)
            each = wanted * np.log(p) if exclusive else _both(wanted, p)
            away = values - start
            return float(-each.sum(1).mean() + WEAK * away @ away)

        free = 2 if exclusive else 3  # one bias for all labels has no effect on a softmax
        found = minimize(
            lambda v: loss(np.append(v, np.zeros(3 - free))),
            start[:free],
            method="Nelder-Mead",
            options={"maxiter": 60 * free, "xatol": 1e-2, "fatol": 1e-4},
        ).x
        values = [float(np.exp(found[0])), *(float(v) for v in found[1:])]
        return cls(exclusive, *values)

    def to_json(self) -> dict[str, float]:
        """As plain JSON types."""
        return {"scale": self.scale, "prior": self.prior, "bias": self.bias}

    @classmethod
    def from_json(cls, found: Mapping[str, float], exclusive: bool) -> ClassMeans:
        """The inverse of :meth:`to_json`."""
        return cls(exclusive, *(float(found[name]) for name in ("scale", "prior", "bias")))


def _both(targets: Array, p: Array) -> Array:
    found: Array = targets * np.log(p) + (1 - targets) * np.log(1 - p)
    return found


def _units(sums: Floats) -> Array:
    return normalise(sums.astype(np.float32))
