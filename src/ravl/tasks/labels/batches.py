"""Batches for the fusion model: examples with the neighbours that they read, disturbed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ravl.encoders.base import Array
from ravl.models.batch import Batch
from ravl.models.reader import Evidence, gather
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise, perturb_neighbours


class FusionData(Dataset[Batch]):
    """Training examples with their evidence, made into whole batches.

    Args:
        features: standardised, (n, F).
        targets: (n, C).
        neighbours: of each, at least ``POOL * k`` where there are so many; None for a model that
            reads no neighbours.
        evidence: of the datastore's rows.
        k: neighbours that are read.
        how: they are disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
        own: of each example the rows of the datastore that show it.
        known: base logits of each that have not seen it, (n, C); None to let the base answer.
        tokens: ids of the text that is read with each; None for nothing.
    """

    def __init__(
        self,
        features: Array,
        targets: Array,
        neighbours: Neighbours | None,
        evidence: Evidence | None,
        k: int,
        how: RetrievalNoise,
        order: EpochSampler,
        seed: int,
        own: Sequence[Ints] | None = None,
        known: Array | None = None,
        tokens: Sequence[Tensor] | None = None,
    ) -> None:
        self._features, self._targets = torch.from_numpy(features), torch.from_numpy(targets)
        self._near, self._evidence = neighbours, evidence
        self._k, self._how, self._order, self._seed = k, how, order, seed
        self._own, self._tokens = own, tokens
        self._known = None if known is None else torch.from_numpy(known)

    def __len__(self) -> int:
        return len(self._features)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch at once."""
        chosen = np.asarray(positions, np.int64)
        batch: Batch = {
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
            neighbours = perturb_neighbours(
                self._near.take(chosen), self._k, rows, self._how, random, own
            )
            batch["neighbours"] = gather(
                self._evidence, neighbours.positions, neighbours.similarity
            )
        return batch

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])
