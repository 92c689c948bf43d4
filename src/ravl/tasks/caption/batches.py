"""What a step of training a generator is made of: pictures, their texts, and disturbed evidence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ravl.encoders.base import Array
from ravl.models.batch import Batch
from ravl.models.generation.decoder import copy_logits
from ravl.models.generation.fused import read_words
from ravl.models.generation.vocabulary import WordVocabulary
from ravl.models.reader import gather
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.caption.consensus import MOST, ConsensusTexts
from ravl.tasks.caption.dataset import TextFitData, TextSplit
from ravl.training.neighbour_noise import (
    EpochSampler,
    RetrievalNoise,
    leave_out,
    perturb_neighbours,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Reads = NDArray[np.bool_]  # whether any neighbour is read, (b,)
MISSING = 0.3  # share of the neighbours that a training step leaves out


@dataclass(frozen=True, eq=False)
class TrainingExamples:
    """What steps are made of, by training picture.

    Args:
        features: standardised, (n, F).
        ids: of each picture's texts, with their beginning and end.
        neighbours: neighbours of each, which do not show it; None for a generator that reads none.
        shares: of these in the vote, (n, k).
        bags: words of each row, sparse (N, W): the share of the row's texts that use each word.
        own: of each the rows of the datastore that show it.
        evidence: of the datastore's rows; None without neighbours.
        quotes: of each the memory's texts that it may read word for word, best first.
        texts: all of the memory.
        regions: of the pictures, standardised, (n, R, G); None for a generator without.
        questions: asked about each; None where they are described.
        passages: of each, that are read with its neighbours, best first; None for none.
    """

    features: Array
    ids: list[list[Tensor]]
    neighbours: Neighbours | None
    shares: Array | None
    bags: csr_matrix
    own: list[Ints]
    evidence: EvidenceArrays | None
    quotes: list[list[int]]
    texts: Sequence[str]
    regions: Array | None = None
    questions: list[str] | None = None
    passages: list[list[str]] | None = None

    @classmethod
    def of(
        cls,
        data: TextFitData,
        side: TextSplit,
        vocabulary: WordVocabulary,
        max_length: int,
        retrieval: bool,
        recalled: Sequence[ConsensusTexts],
    ) -> TrainingExamples:
        """From a part of the data; ``recalled`` is what the memory says of its pictures."""
        flat = vocabulary([text for its in side.texts for text in its], max_length)
        ids = iter(flat)
        texts = [[next(ids) for _ in its] for its in side.texts]
        wanted = 2 * data.settings.quotes if retrieval else 0
        return cls(
            data.standard(side.examples.features),
            texts,
            side.neighbours if retrieval else None,
            data.vote.shares(side.neighbours, data.index.row_texts.has.astype(np.float32))
            if retrieval
            else None,
            bags_of(data, vocabulary) if retrieval else None,
            [data.datastore.showing(groups) for groups in side.examples.shown],
            data.arrays if retrieval else None,
            [r.texts[:wanted].tolist() for r in recalled] if wanted else [[] for _ in side.texts],
            data.index.row_texts.texts,
            side.regions,
            side.questions,
            [[text for text, _ in its] for its in side.passages]
            if retrieval and side.passages is not None
            else None,
        )


class TextBatches(Dataset[Batch]):
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
        self,
        lesson: TrainingExamples,
        words: WordPieceTokenizer,
        k: int,
        quotes: int,
        how: RetrievalNoise,
        order: EpochSampler,
        seed: int,
    ) -> None:
        self.lesson = lesson
        self._words, self._k, self._quotes = words, k, quotes
        self._how, self._order, self._seed = how, order, seed

    def __len__(self) -> int:
        return len(self.lesson.features)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch at once: b pictures, and t texts with the picture of each."""
        lesson, chosen = self.lesson, np.asarray(positions, np.int64)
        # By epoch and first example, so that a resumed run draws what it would have drawn.
        random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
        texts = [lesson.ids[i] for i in chosen.tolist()]
        batch: Batch = {
            "features": torch.from_numpy(lesson.features[chosen]),
            "ids": pad_sequence([t for its in texts for t in its], batch_first=True),
            "owners": torch.tensor([i for i, its in enumerate(texts) for _ in its]),
        }
        if lesson.regions is not None:
            batch["regions"] = torch.from_numpy(lesson.regions[chosen].astype(np.float32))
        quoted: list[list[str]] = [[] for _ in positions]
        if lesson.neighbours is not None and lesson.evidence is not None:
            assert lesson.shares is not None
            rows = len(lesson.evidence.features)
            own = [lesson.own[i] for i in chosen]
            whose = self._whose(chosen, random)
            others = Neighbours(
                lesson.neighbours.positions[whose], lesson.neighbours.similarity[chosen]
            )
            close = _without(others, own, whose != chosen)
            neighbours = perturb_neighbours(close, self._k, rows, self._how, random, own)
            batch["neighbours"] = gather(
                lesson.evidence, neighbours.positions, neighbours.similarity
            )
            reads: Reads = neighbours.found.max(axis=1)
            batch["prior"] = self._prior(close, lesson.shares[whose], reads, random)
            if self._quotes:
                quoted = self._quoted(chosen, reads, random)
            quoted = [p + q for p, q in zip(self._passages(chosen, reads), quoted, strict=True)]
        if lesson.questions is not None or self._quotes:
            asked = lesson.questions or [""] * len(self)
            batch["tokens"] = read_words(self._words, [asked[i] for i in chosen], quoted)
        return batch

    def _whose(self, chosen: Ints, random: np.random.Generator) -> Ints:
        """The picture whose neighbours each example is shown: a stranger's for the share noise.

        They agree with each other, so that only the picture itself tells that they are wrong.
        """
        random_neighbours = random.integers(0, len(self), len(chosen))
        return np.where(random.random(len(chosen)) < self._how.noise, random_neighbours, chosen)

    def _prior(
        self, close: Neighbours, shares: Array, reads: Reads, random: np.random.Generator
    ) -> Tensor:
        """How loud each word is, (b, W); silence where no neighbour is read.

        Args:
            close: neighbours that speak, (b, k) or more.
            shares: of each in the vote, (b, k).
            reads: whether any is read.
            random: draws the neighbours that are left out.
        """
        places = close.positions[:, : shares.shape[1]]
        shares = shares * (random.random(shares.shape) >= MISSING) * reads[:, None] * (places >= 0)
        shares /= np.maximum(shares.sum(1, keepdims=True), 1e-9)
        rows = np.maximum(places, 0)
        found = [s @ self.lesson.bags[r] for s, r in zip(shares, rows, strict=True)]
        return copy_logits(torch.from_numpy(np.stack(found).astype(np.float32)))

    def _quoted(self, chosen: Ints, reads: Reads, random: np.random.Generator) -> list[list[str]]:
        """Texts of each picture that are read word for word; none where no neighbour is."""
        found = []
        for i, any_read in zip(chosen.tolist(), reads.tolist(), strict=True):
            pool = self.lesson.quotes[i]
            kept = np.sort(random.permutation(len(pool))[: self._quotes if any_read else 0])
            found.append([self.lesson.texts[pool[j]] for j in kept.tolist()])
        return found

    def _passages(self, chosen: Ints, reads: Reads) -> list[list[str]]:
        """Passages that are read with each, as many as when it answers."""
        known, most = self.lesson.passages, (self._k + 1) // 2
        if known is None:
            return [[] for _ in chosen]
        return [known[i][: most if r else 0] for i, r in zip(chosen, reads, strict=True)]

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])


def _without(neighbours: Neighbours, own: Sequence[Ints], strange: NDArray[np.bool_]) -> Neighbours:
    """Neighbours without an example's own rows, which another picture's may well be."""
    positions = neighbours.positions.copy()
    leave_out(positions, own, strange)
    similarity = np.where(positions >= 0, neighbours.similarity, 0).astype(np.float32)
    return Neighbours(positions, similarity)


def bags_of(data: TextFitData, vocabulary: WordVocabulary) -> csr_matrix:
    """See :class:`TrainingExamples`; a row has as many texts as in the consensus."""
    from scipy.sparse import csr_matrix

    index = data.index
    columns: list[Ints] = []
    values: list[Array] = []
    starts = [0]
    for first, last in itertools.pairwise(index.starts.tolist()):
        texts = index.row_texts.texts[first : min(last, first + MOST)]
        words = [vocabulary.words_of(text) for text in texts]
        ids, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *words]), return_counts=True)
        columns.append(ids)
        values.append((counts / max(len(texts), 1)).astype(np.float32))
        starts.append(starts[-1] + len(ids))
    shape = len(index.row_texts.datastore), len(vocabulary)
    return csr_matrix((np.concatenate(values), np.concatenate(columns), starts), shape=shape)
