"""Keys: what pictures are compared by when their labels vote.

Centred and square-rooted tower features find neighbours of the same label better than the vectors
that texts are compared with (accuracy of the vote on ten kinds of clothes: 88 against 85 %), and
stay the same when the retriever is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, normalise
from ravl.kept import Fitted
from ravl.threads import one_blas_thread

DIRECTIONS = 256  # kept of the features' principal directions
WIDEST = 512  # the most that are asked for
SAMPLE = 20_000  # pictures that the directions are found on
FLOOR = 1e-3  # of the features' spread; a feature that never varies tells nothing


@dataclass(frozen=True, eq=False)
class Principal:
    """Principal directions of pictures' features, of which keys take as many as they need.

    Args:
        power: that the features are raised to, see :class:`KeyProjection`.
        mean: of the features so raised, (F,).
        axes: the directions, those with the most variance first, (F, d).
    """

    power: float
    mean: Array
    axes: Array

    @classmethod
    def of(cls, features: Array, fewest: int = DIRECTIONS, most: int = WIDEST) -> Principal:
        """From the features (n, F) of the pictures that will be searched.

        Args:
            features: of the pictures.
            fewest, most: directions that will be asked for.
        """
        power = power_of(features)
        x = signed_power(features[:: max(1, len(features) // SAMPLE)], power)
        mean = x.mean(0)
        if x.shape[1] <= fewest:
            return cls(power, mean, np.eye(x.shape[1], dtype=np.float32))
        centred = x - mean
        with one_blas_thread():  # threads make it slower
            _, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
        return cls(power, mean, np.ascontiguousarray(vectors[:, : -most - 1 : -1]))

    def keys(self, directions: int = DIRECTIONS) -> KeyProjection:
        """Keys of so many directions; of all features where these are fewer."""
        width = len(self.mean)
        if width <= directions:
            return KeyProjection(self.power, self.mean, np.eye(width, dtype=np.float32))
        axes = np.ascontiguousarray(self.axes[:, :directions])
        return KeyProjection(self.power, self.mean, axes)

    def kept(self) -> Fitted:
        """For :func:`ravl.kept.fitted`."""
        return Fitted({"mean": self.mean, "axes": self.axes}, {"power": self.power})

    @classmethod
    def of_kept(cls, found: Fitted) -> Principal:
        """The inverse of :meth:`kept`."""
        mean, axes = (found.arrays[name].astype(np.float32) for name in ("mean", "axes"))
        return cls(float(found.record["power"]), mean, axes)


@dataclass(frozen=True, eq=False)
class KeyProjection:
    """Features to unit vectors, by cosine.

    Args:
        power: the features become sign(x) |x| ** power first; 0.5 tames the long tails of
            features after a ReLU, 1.0 leaves them as they are.
        mean: of the features so raised, (F,).
        directions: principal ones, (F, d), or what was learned on top of them.
    """

    power: float
    mean: Array
    directions: Array

    @classmethod
    def of(cls, features: Array, directions: int = DIRECTIONS) -> KeyProjection:
        """From the features (n, F) of the pictures that will be searched.

        Args:
            features: of the pictures.
            directions: that are kept at most.
        """
        return Principal.of(features, directions, directions).keys(directions)

    def __call__(self, features: Array) -> Array:
        """Features (n, F) -> keys (n, d), L2-normalised."""
        return normalise(self.project(features))

    def project(self, features: Array) -> Array:
        """Features (n, F) -> keys of whatever length, (n, d): what a matrix may be learned on."""
        centred: Array = signed_power(features, self.power) - self.mean
        found: Array = centred @ self.directions
        return found

    def weights(
        self,
        keys: Array,  # noqa: ARG002 (for those that override it)
        positions: NDArray[np.int64],  # noqa: ARG002 (the same)
        keys_at: Callable[[NDArray[np.int64]], Array],  # noqa: ARG002 (the same)
    ) -> Array | None:
        """The weights of neighbours beside each other, (n, k); None for similarity alone.

        Args:
            keys: of n queries, (n, d).
            positions: of their neighbours, (n, k), -1 where there is none.
            keys_at: gives the keys of some rows, (..., d).
        """
        return None

    def rotated(self, matrix: Array) -> KeyProjection:
        """Keys that a matrix (d, d') has been applied to, before they are normalised."""
        return replace(self, directions=np.ascontiguousarray(self.directions @ matrix))

    def arrays(self) -> dict[str, Array]:
        """All that it has, for a file of arrays."""
        return {
            "power": np.array([self.power], np.float32),
            "mean": self.mean,
            "directions": self.directions,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> KeyProjection:
        """The inverse of :meth:`arrays`; ValueError where they do not fit together."""
        mean, directions = arrays["mean"], arrays["directions"]
        if mean.ndim != 1 or directions.ndim != 2 or len(mean) != len(directions):
            raise ValueError("the arrays of the keys do not fit together")
        return cls(float(arrays["power"][0]), mean, directions)


def power_of(features: Array) -> float:
    """The power that tames these features: one half where they are never negative."""
    return 0.5 if len(features) and features.min() >= 0 else 1.0


def signed_power(features: Array, power: float | Array) -> Array:
    """sign(x) |x| ** power; of (n, F) features with one power for all, or one for each, (F,)."""
    if isinstance(power, float) and power == 1.0:
        return features.astype(np.float32, copy=False)
    return (np.sign(features) * np.abs(features) ** np.float32(power)).astype(np.float32)
