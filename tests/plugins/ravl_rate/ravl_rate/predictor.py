"""What answers, on arrays: the neighbours' numbers, a ridge regression, and a mixture of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Neighbours
from ravl.retrieval.key_projection import KeyProjection


@dataclass(frozen=True, eq=False)
class RatePredictor:
    """Numbers for pictures.

    Args:
        keys: by which neighbours are found.
        k: neighbours that vote.
        usual: the median of the training numbers, given where nothing is known.
        error: the mean absolute error on validation pictures.
        weight: (F,) of the ridge regression; None for a predictor that only votes.
        bias: of it.
        share: of the vote in the mixture, 0 to 1.
    """

    keys: KeyProjection
    k: int
    usual: float
    error: float = 0.0
    weight: Array | None = None
    bias: float = 0.0
    share: float = 1.0

    def vote(self, neighbours: Neighbours, numbers: Array) -> tuple[Array, Array]:
        """The mean of the neighbours' numbers, weighted by similarity, and each one's share.

        Args:
            neighbours: neighbours of n pictures, (n, k); each has a number.
            numbers: of the datastore's rows, (N,).

        Returns:
            The numbers (n,), and shares (n, k) that sum to 1 where there is a neighbour.
        """
        raw = np.where(neighbours.found, np.exp(4 * neighbours.similarity), 0)
        shares = raw / np.maximum(raw.sum(1, keepdims=True), 1e-9)
        values = np.where(neighbours.found, numbers[np.maximum(neighbours.positions, 0)], 0)
        found = (shares * values).sum(1)
        return np.where(neighbours.found.any(1), found, self.usual).astype(np.float32), shares

    def model(self, features: Array) -> Array:
        """Numbers (n,) by the ridge regression alone; the usual one without it."""
        if self.weight is None:
            return np.full(len(features), self.usual, np.float32)
        found: Array = (features @ self.weight + self.bias).astype(np.float32)
        return found

    def mixed(self, vote: Array, model: Array) -> Array:
        """Numbers (n,) by both."""
        found: Array = (self.share * vote + (1 - self.share) * model).astype(np.float32)
        return found

    def arrays(self) -> dict[str, dict[str, Array]]:
        """All that it has, by part."""
        single = {
            name: np.array([getattr(self, name)], np.float32)
            for name in ("k", "usual", "error", "bias", "share")
        }
        parts = {"keys": self.keys.arrays(), "numbers": single}
        return parts if self.weight is None else {**parts, "ridge": {"weight": self.weight}}

    @classmethod
    def from_arrays(cls, parts: Mapping[str, Mapping[str, Array]]) -> RatePredictor:
        """The inverse of :meth:`arrays`."""
        single = {name: float(array[0]) for name, array in parts["numbers"].items()}
        return cls(
            KeyProjection.from_arrays(parts["keys"]),
            int(single.pop("k")),
            weight=parts["ridge"]["weight"] if "ridge" in parts else None,
            **single,
        )
