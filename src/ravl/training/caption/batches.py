"""What a step of training a generator is made of: pictures, their texts, and disturbed evidence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ravl.encoders.base import Array
from ravl.models.generation.decoder import loudness
from ravl.models.generation.fused import read_words
from ravl.models.generation.vocabulary import Vocabulary
from ravl.models.reader import gather
from ravl.models.words import Words
from ravl.retrieval.bank import Ints, Neighbours
from ravl.tasks.caption.recall import MOST, Recalled
from ravl.tasks.testimony import EvidenceArrays
from ravl.training.caption.ground import CaptionGround, CaptionSide
from ravl.training.labels.fusion_batches import Disturbance, Shuffled, disturb

Reads = NDArray[np.bool_]  # whether any neighbour is read, (b,)
MISSING = 0.3  # share of the voices that are not heard in a step


@dataclass(frozen=True, eq=False)
class Lesson:
    """What steps are made of, by training picture.

    Args:
        features: standardised, (n, F).
        ids: of each picture's texts, with their beginning and end.
        near: neighbours of each, which do not show it; None for a generator that reads none.
        shares: of these in the vote, (n, k).
        bags: words of each row of the bank, sparse (N, W): the share of its texts that use each.
        own: of each the rows of the bank that show it.
        evidence: of the bank's rows; None without neighbours.
        quotes: of each the memory's texts that it may read word for word, best first.
        texts: all of the memory.
        regions: of the pictures, standardised, (n, R, G); None for a generator without.
    """

    features: Array
    ids: list[list[Tensor]]
    near: Neighbours | None
    shares: Array | None
    bags: Any
    own: list[Ints]
    evidence: EvidenceArrays | None
    quotes: list[list[int]]
    texts: list[str]
    regions: Array | None = None

    @classmethod
    def of(
        cls, ground: CaptionGround, side: CaptionSide, vocabulary: Vocabulary, longest: int,
        retrieval: bool, recalled: Sequence[Recalled],
    ) -> Lesson:  # fmt: skip
        """From a part of the ground; ``recalled`` is what the memory says of its pictures."""
        flat = vocabulary([text for its in side.texts for text in its], longest)
        ids = iter(flat)
        texts = [[next(ids) for _ in its] for its in side.texts]
        wanted = 2 * ground.settings.quotes if retrieval else 0
        return cls(
            ground.standard(side.labelled.features), texts, side.near if retrieval else None,
            ground.vote.shares(side.near, ground.told.said.has.astype(np.float32))
            if retrieval else None,
            bags_of(ground, vocabulary) if retrieval else None,
            [ground.bank.showing(groups) for groups in side.labelled.shown],
            ground.arrays if retrieval else None,
            [r.texts[:wanted].tolist() for r in recalled] if wanted else [[] for _ in side.texts],
            ground.told.said.texts, side.regions,
        )  # fmt: skip


class TextBatches(Dataset[dict[str, Any]]):
    """Training pictures with all their texts and evidence, made into whole batches.

    Args:
        lesson: what they are made of.
        words: of the language model that reads.
        k: neighbours that are read.
        quotes: texts that are read word for word.
        how: evidence is disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
    """

    def __init__(
        self, lesson: Lesson, words: Words, k: int, quotes: int, how: Disturbance, order: Shuffled,
        seed: int,
    ) -> None:  # fmt: skip
        self.lesson = lesson
        self._words, self._k, self._quotes = words, k, quotes
        self._how, self._order, self._seed = how, order, seed

    def __len__(self) -> int:
        return len(self.lesson.features)

    def __getitems__(self, positions: Sequence[int]) -> dict[str, Any]:
        """A whole batch at once: b pictures, and t texts with the picture of each."""
        lesson, chosen = self.lesson, np.asarray(positions, np.int64)
        # By epoch and first example, so that a resumed run draws what it would have drawn.
        random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
        texts = [lesson.ids[i] for i in chosen.tolist()]
        batch: dict[str, Any] = {
            "features": torch.from_numpy(lesson.features[chosen]),
            "ids": pad_sequence([t for its in texts for t in its], batch_first=True),
            "owners": torch.tensor([i for i, its in enumerate(texts) for _ in its]),
        }  # fmt: skip
        if lesson.regions is not None:
            batch["regions"] = torch.from_numpy(lesson.regions[chosen].astype(np.float32))
        if lesson.near is not None and lesson.evidence is not None:
            rows = len(lesson.evidence.features)
            own = [lesson.own[i] for i in chosen]
            near = disturb(lesson.near.take(chosen), self._k, rows, self._how, random, own)
            batch["near"] = gather(lesson.evidence, near.positions, near.likeness)
            reads: Reads = near.found.max(axis=1)
            batch["prior"] = self._prior(chosen, reads, random)
            if self._quotes:
                quoted = self._quoted(chosen, reads, random)
                batch["tokens"] = read_words(self._words, [""] * len(chosen), quoted)
        return batch

    def _prior(self, chosen: Ints, reads: Reads, random: np.random.Generator) -> Tensor:
        """How loud each word is, (b, W); silence where no neighbour is read."""
        lesson = self.lesson
        assert lesson.near is not None
        assert lesson.shares is not None
        shares = lesson.shares[chosen]  # (b, k)
        shares = shares * (random.random(shares.shape) >= MISSING) * reads[:, None]
        shares /= np.maximum(shares.sum(1, keepdims=True), 1e-9)
        rows = np.maximum(lesson.near.positions[chosen, : shares.shape[1]], 0)
        found = [s @ lesson.bags[r] for s, r in zip(shares, rows, strict=True)]
        return loudness(torch.from_numpy(np.stack(found).astype(np.float32)))

    def _quoted(self, chosen: Ints, reads: Reads, random: np.random.Generator) -> list[list[str]]:
        """Texts of each picture that are read word for word; none where no neighbour is."""
        found = []
        for i, any_read in zip(chosen.tolist(), reads.tolist(), strict=True):
            pool = self.lesson.quotes[i]
            kept = np.sort(random.permutation(len(pool))[: self._quotes if any_read else 0])
            found.append([self.lesson.texts[pool[j]] for j in kept.tolist()])
        return found

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])


def bags_of(ground: CaptionGround, vocabulary: Vocabulary) -> Any:
    """See :class:`Lesson`; a row's texts count as many as in :mod:`ravl.tasks.caption.recall`."""
    from scipy.sparse import csr_matrix

    told = ground.told
    columns: list[Ints] = []
    values: list[Array] = []
    starts = [0]
    for first, last in itertools.pairwise(told.starts.tolist()):
        texts = told.said.texts[first : min(last, first + MOST)]
        words = [vocabulary.words_of(text) for text in texts]
        ids, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *words]), return_counts=True)
        columns.append(ids)
        values.append((counts / max(len(texts), 1)).astype(np.float32))
        starts.append(starts[-1] + len(ids))
    shape = len(told.said.bank), len(vocabulary)
    return csr_matrix((np.concatenate(values), np.concatenate(columns), starts), shape=shape)
