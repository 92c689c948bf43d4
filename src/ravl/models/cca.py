"""Canonical correlation analysis: directions in which pictures and their texts vary together.

Hotelling 1936, with a ridge (Vinod 1976); each direction counts as much as its correlation. It is
a closed form: seconds, and no network is trained (for pictures and texts: Klein et al. 2015,
"Associating neural word embeddings with deep image representations using Fisher vectors").
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.encoders.heads import Head

FLOOR = 1e-3  # of a feature's spread; one that never varies says nothing
BLOCK = 8192  # texts at a time
ROOT = 0.5  # the power for features after a ReLU, whose long tails it shortens

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Side:
    """How the features of one kind are standardised: see :class:`Head`, whose words these are."""

    power: float
    mean: Array
    scale: Array

    @classmethod
    def of(cls, features: Array) -> _Side:
        power = ROOT if features.min() >= 0 else 1.0
        x = features if power == 1 else np.sqrt(features)
        spread = x.std(0)
        # What does not vary is left out: a huge scale makes it zero.
        scale: Array = np.where(spread > FLOOR * spread.max(), spread, 1 / FLOOR).astype(np.float32)
        return cls(power, x.mean(0), scale)

    def __call__(self, features: Array) -> Array:
        x = features if self.power == 1 else np.sqrt(np.maximum(features, 0))
        standard: Array = (x - self.mean) / self.scale
        return standard

    def head(self, weight: Array, centre: Array) -> Head:
        """The head that maps standardised features, less their mean over the pairs."""
        return Head(
            mean=self.mean,
            scale=self.scale,
            weight=weight.T.astype(np.float32),
            bias=-(centre @ weight).astype(np.float32),
            power=self.power,
        )


@dataclass(frozen=True, eq=False)
class Covariances:
    """What pairs of pictures and texts say of each other: all that the closed form needs of them.

    Args:
        pictures: (F, F).
        texts: (D, D).
        both: (D, F).
    """

    pictures: Array
    texts: Array
    both: Array
    _sides: tuple[_Side, _Side]
    _centres: tuple[Array, Array]
    _whitened: dict[float, tuple[Array, Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, pictures: Array, texts: Array, owners: Ints, which: Ints) -> Covariances:
        """Of pairs: each text of a picture is a pair of its own.

        Args:
            pictures: features (n, F).
            texts: vectors (m, D).
            owners: picture of each pair, (p,), ascending; each picture occurs.
            which: text of each pair, (p,).
        """
        sides = _Side.of(pictures), _Side.of(texts)
        seen = sides[0](pictures)
        times = np.bincount(owners, minlength=len(seen)).astype(np.float32)
        centre: Array = times @ seen / np.float32(len(owners))
        seen = seen - centre
        sums = np.zeros((len(seen), texts.shape[1]), np.float32)  # of each picture's texts
        total = np.zeros(texts.shape[1])
        squares = np.zeros((texts.shape[1], texts.shape[1]))
        for start in range(0, len(owners), BLOCK):
            part = slice(start, start + BLOCK)
            read = sides[1](texts[which[part]])
            first, starts = np.unique(owners[part], return_index=True)
            sums[first] += np.add.reduceat(read, starts, axis=0)
            total += read.sum(0)
            squares += read.T @ read
        mean = total / len(owners)
        return cls(
            np.asarray((seen.T * times) @ seen / len(owners), np.float32),
            (squares / len(owners) - np.outer(mean, mean)).astype(np.float32),
            np.asarray(sums.T @ seen / len(owners), np.float32),
            sides,
            (centre.astype(np.float32), mean.astype(np.float32)),
        )

    def heads(self, dimension: int, of_pictures: float, of_texts: float) -> tuple[Head, Head]:
        """The head for pictures and the head for texts, by the best directions.

        Args:
            dimension: of the space, at most; fewer where there are fewer features.
            of_pictures, of_texts: ridges, in mean variances of a feature.
        """
        from scipy.linalg import cholesky, eigh, solve_triangular

        if of_pictures not in self._whitened:
            lower = cholesky(_ridged(self.pictures, of_pictures), lower=True)
            half = solve_triangular(lower, self.both.T, lower=True)
            self._whitened[of_pictures] = lower, half
        first, half = self._whitened[of_pictures]
        second = cholesky(_ridged(self.texts, of_texts), lower=True)
        # What is left after whitening both sides: its singular values are the correlations.
        white = solve_triangular(second, half.T, lower=True)  # (D, F)
        turned = white if white.shape[0] <= white.shape[1] else white.T  # the short side first
        size, square = len(turned), turned @ turned.T
        squares, short = eigh(square, subset_by_index=[max(0, size - dimension), size - 1])
        squares, short = squares[::-1], short[:, ::-1]
        correlations = np.sqrt(np.maximum(squares, 1e-12))
        long = turned.T @ short / correlations
        ways = (long, short) if turned is white else (short, long)
        weights = [
            solve_triangular(own, way * correlations, lower=True, trans="T")
            for own, way in zip((first, second), ways, strict=True)
        ]
        (seen, read), (centre, mean) = self._sides, self._centres
        return seen.head(weights[0], centre), read.head(weights[1], mean)


def _ridged(own: Array, ridge: float) -> Array:
    """A covariance with more variance in every direction."""
    more = ridge * max(float(np.trace(own)) / len(own), 1e-12)
    return own + np.float32(more) * np.eye(len(own), dtype=np.float32)
