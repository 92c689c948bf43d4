"""Batches for the fusion model: examples with the neighbours that they read, disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from ravl.encoders.base import Array
from ravl.models.reader import Evidence, gather
from ravl.retrieval.bank import Ints, Neighbours

POOL = 2  # times as many neighbours as are read, from which an example's are drawn


class Shuffled(Sampler[int]):
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
class Disturbance:
    """What is done to an example's neighbours, so that the model does not come to rely on them.

    Args:
        dropout: share of examples that see none.
        noise: share of neighbours that are exchanged for random rows of the bank.
        pool: the k that are read are drawn from the nearest ``POOL * k`` (c-sample-k, Li et al.
            2024, "Understanding Retrieval Robustness for Retrieval-augmented Image Captioning").
    """

    dropout: float = 0.15
    noise: float = 0.1
    pool: int = POOL


def disturb(
    near: Neighbours,
    k: int,
    rows: int,
    how: Disturbance,
    random: np.random.Generator,
    own: Sequence[Ints] | None = None,
) -> Neighbours:
    """Neighbours of b examples as they are read in one step of training, (b, k).

    Args:
        near: of the examples, which do not show the example itself.
        k: that are read.
        rows: of the bank.
        how: they are disturbed.
        random: what is drawn with.
        own: of each example the rows that show it; a random row must be none of them either.
    """
    positions, likeness = near.positions.copy(), near.likeness.copy()
    b, width = positions.shape
    if width > k:
        # Random places among the first, in order of likeness.
        order = np.argsort(random.random((b, min(width, how.pool * k))), axis=1)[:, :k]
        order.sort(axis=1)
        positions = np.take_along_axis(positions, order, 1)
        likeness = np.take_along_axis(likeness, order, 1)
    strangers = (random.random(positions.shape) < how.noise) & (positions >= 0)
    positions[strangers] = random.integers(0, max(rows, 1), int(strangers.sum()))
    if own is not None:
        leave_out(positions, own, strangers.max(axis=1))
    positions[random.random(b) < how.dropout] = -1
    return Neighbours(positions, np.where(positions >= 0, likeness, 0).astype(np.float32))


def leave_out(positions: Ints, own: Sequence[Ints], which: NDArray[np.bool_]) -> None:
    """Take rows that show an example itself out of its neighbours (b, k), where it may have any.

    Args:
        positions: changed in place; -1 for what is left out.
        own: of each example the rows that show it.
        which: of the examples are looked at, (b,).
    """
    for i in np.flatnonzero(which).tolist():
        positions[i, np.isin(positions[i], own[i])] = -1


class FusionData(Dataset[dict[str, Any]]):
    """Training examples with their evidence, made into whole batches.

    Args:
        features: standardised, (n, F).
        targets: (n, C).
        near: neighbours of each, at least ``POOL * k`` where there are so many; None for a model
            that reads none.
        evidence: of the bank's rows.
        k: neighbours that are read.
        how: they are disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
        own: of each example the rows of the bank that show it.
        known: base logits of each that have not seen it, (n, C); None to let the base answer.
        tokens: ids of the text that is read with each; None for nothing.
    """

    def __init__(
        self,
        features: Array,
        targets: Array,
        near: Neighbours | None,
        evidence: Evidence | None,
        k: int,
        how: Disturbance,
        order: Shuffled,
        seed: int,
        own: Sequence[Ints] | None = None,
        known: Array | None = None,
        tokens: Sequence[Tensor] | None = None,
    ) -> None:
        self._features, self._targets = torch.from_numpy(features), torch.from_numpy(targets)
        self._near, self._evidence = near, evidence
        self._k, self._how, self._order, self._seed = k, how, order, seed
        self._own, self._tokens = own, tokens
        self._known = None if known is None else torch.from_numpy(known)

    def __len__(self) -> int:
        return len(self._features)

    def __getitems__(self, positions: Sequence[int]) -> dict[str, Any]:
        """A whole batch at once."""
        chosen = np.asarray(positions, np.int64)
        batch: dict[str, Any] = {
            "features": self._features[chosen],
            "targets": self._targets[chosen],
        }
        if self._known is not None:
            batch["known"] = self._known[chosen]
        if self._tokens is not None:
            batch["tokens"] = pad_sequence([self._tokens[i] for i in chosen], batch_first=True)
        if self._near is not None and self._evidence is not None:
            # By epoch and first example, so that a resumed run draws what it would have drawn.
            random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
            rows = len(self._evidence.features)
            own = [self._own[i] for i in chosen] if self._own is not None else None
            near = disturb(self._near.take(chosen), self._k, rows, self._how, random, own)
            batch["near"] = gather(self._evidence, near.positions, near.likeness)
        return batch

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])
