"""Noise on the neighbours that are read in training, and the order of examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ravl.retrieval.datastore import Ints, Neighbours

POOL = 2  # times as many neighbours as are read, from which an example's are drawn


class EpochSampler(Sampler[int]):
    """All positions in an order of their own in each epoch.

    Args:
        positions: of the examples.
        seed: of the order; the epoch is added.
        most: positions of an epoch; of more so many are drawn anew for each. None for all.
    """

    def __init__(self, positions: Sequence[int] | Ints, seed: int, most: int | None = None) -> None:
        self._positions = np.asarray(positions, np.int64)
        self._seed = seed
        self._count = min(most or len(self._positions), len(self._positions))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer, so that a resumed run has the order it would have had."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self.epoch])
        yield from random.permutation(self._positions)[: self._count].tolist()


@dataclass(frozen=True, eq=False)
class RetrievalNoise:
    """What is done to an example's neighbours, so that the model does not come to rely on them.

    Args:
        dropout: share of examples that see none.
        noise: share of neighbours that are exchanged for random rows of the datastore.
        pool: the k that are read are drawn from the nearest ``POOL * k`` (c-sample-k, Li et al.
            2024, "Understanding Retrieval Robustness for Retrieval-augmented Image Captioning").
    """

    dropout: float = 0.15
    noise: float = 0.1
    pool: int = POOL


def perturb_neighbours(
    neighbours: Neighbours,
    k: int,
    rows: int,
    how: RetrievalNoise,
    random: np.random.Generator,
    own: Sequence[Ints] | None = None,
) -> Neighbours:
    """Neighbours of b examples as they are read in one step of training, (b, k).

    Args:
        neighbours: of the examples, which do not show the example itself.
        k: that are read.
        rows: of the datastore.
        how: they are disturbed.
        random: what is drawn with.
        own: of each example the rows that show it; a random row must not be one of them.
    """
    positions, similarity = neighbours.positions.copy(), neighbours.similarity.copy()
    b, width = positions.shape
    if width > k:
        # Random places among the first, in order of similarity.
        order = np.argsort(random.random((b, min(width, how.pool * k))), axis=1)[:, :k]
        order.sort(axis=1)
        positions = np.take_along_axis(positions, order, 1)
        similarity = np.take_along_axis(similarity, order, 1)
    strangers = (random.random(positions.shape) < how.noise) & (positions >= 0)
    positions[strangers] = random.integers(0, max(rows, 1), int(strangers.sum()))
    if own is not None:
        leave_out(positions, own, strangers.max(axis=1))
    positions[random.random(b) < how.dropout] = -1
    return Neighbours(positions, np.where(positions >= 0, similarity, 0).astype(np.float32))


def leave_out(positions: Ints, own: Sequence[Ints], which: NDArray[np.bool_]) -> None:
    """Take rows that show an example itself out of its neighbours (b, k), where it may have any.

    Args:
        positions: changed in place; -1 for what is left out.
        own: of each example the rows that show it.
        which: of the examples are looked at, (b,).
    """
    for i in np.flatnonzero(which).tolist():
        positions[i, np.isin(positions[i], own[i])] = -1
