"""What shares a batch: every picture once a pass, with pictures that are hard to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from ravl.encoders.base import Array
from ravl.models.batch import Batch
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import Ints

FALSE_NEGATIVE = 0.95  # of the score of its own text, above which a neighbour may fit as well
BLOCK = 512  # pictures scored at a time

Embed = Callable[[], tuple[Array, Array]]
"""Vectors of the training pictures (n, d) and of their texts, averaged, (n, d), as of now."""


class PairData(Dataset[Batch]):
    """Pairs as batches of tensors; an item is a position among the pairs.

    Args:
        material: of which the training split is used.
        order: that knows the epoch.
        seed: of the views of pictures and texts.
    """

    def __init__(self, material: TrainingInputs, order: HardNegativeSampler, seed: int) -> None:
        self._material, self._order, self._seed = material, order, seed

    def __len__(self) -> int:
        return len(self._material.pairs)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch at once: stacking single items would cost more than the step."""
        material, pairs = self._material, self._material.pairs
        # By epoch and first example, so that a resumed run draws what it would have drawn.
        random = np.random.default_rng([self._seed, self._order.epoch, positions[0]])
        owners, which = pairs.owners[positions], pairs.which[positions]
        pictures, place = np.unique(owners, return_inverse=True)  # each is looked at once
        return {
            **material.pictures(pictures, random),  # (u, ...)
            **material.read(which, random),  # (b, ...)
            "place": torch.from_numpy(place),
            "groups": torch.from_numpy(pairs.groups[owners]),
            "which": torch.from_numpy(which),
            "taught": material.taught(owners, which),
        }

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])


class HardNegativeSampler(Sampler[int]):
    """The order of an epoch: passes over the pictures, each time with others of their texts.

    Args:
        pairs: positions of the training pairs, ascending by picture, (p,).
        owners: picture of each, (p,).
        groups: of all pictures; near-duplicates are not negatives of each other.
        hard: neighbours that follow each picture, and so share its batch; mined anew each epoch.
        embed: gives the present vectors; only called when ``hard`` is not 0.
        seed: of the order; the epoch is added.
        together: texts of a picture that follow each other, so that it is looked at once for them.
    """

    def __init__(
        self,
        pairs: Ints,
        owners: Ints,
        groups: Ints,
        hard: int,
        embed: Embed,
        seed: int,
        together: int = 1,
    ) -> None:
        self._pairs = pairs
        self._pictures, starts = np.unique(owners, return_index=True)
        self._texts = np.split(pairs, starts[1:])
        self._groups = groups[self._pictures]
        self._hard = hard
        self._embed = embed
        self._seed = seed
        self._together = together
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer, so that a resumed run has the order it would have had."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self.epoch])
        near = mine_hard_negatives(*self._embed(), self._groups, self._hard) if self._hard else None
        decks = [random.permutation(texts) for texts in self._texts]
        for turn in range(0, max(map(len, decks)), self._together):
            left = np.array([len(deck) > turn for deck in decks])
            for picture in _order(np.flatnonzero(left), left, near, random):
                yield from decks[picture][turn : turn + self._together].tolist()


def mine_hard_negatives(pictures: Array, texts: Array, groups: Ints, k: int) -> Ints:
    """For each picture the k others whose texts it could be taken to mean, (n, k), -1 for none.

    Those that score nearly as high as its own text are passed over: they may well fit, too
    (positive-aware mining, Moreira et al. 2024, NV-Retriever).
    """
    near = np.zeros((len(pictures), min(k, len(pictures) - 1)), np.int64)
    own = np.einsum("nd,nd->n", pictures, texts)
    for start in range(0, len(pictures), BLOCK):
        part = slice(start, start + BLOCK)
        scores = pictures[part] @ texts.T  # (b, n)
        scores[scores > FALSE_NEGATIVE * own[part, None]] = -np.inf
        scores[groups[part, None] == groups] = -np.inf
        best = np.argsort(-scores, axis=1)[:, : near.shape[1]]
        near[part] = np.where(np.isfinite(np.take_along_axis(scores, best, axis=1)), best, -1)
    return near


def _order(
    pictures: Ints, left: np.ndarray, near: Ints | None, random: np.random.Generator
) -> Iterator[int]:
    """All of the pictures in random order, each followed by its neighbours that are still left."""
    left = left.copy()
    for picture in random.permutation(pictures).tolist():
        if left[picture]:
            left[picture] = False
            yield picture
            for other in near[picture].tolist() if near is not None else ():
                if other >= 0 and left[other]:
                    left[other] = False
                    yield other
