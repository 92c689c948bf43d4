"""What a step of training match is made of: pictures, their texts, wrong ones, and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ravl.encoders.base import Array
from ravl.models.batch import Batch
from ravl.models.evidence import Evidence
from ravl.models.reader import gather
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.tasks.match.dataset import MatchFitData, hide
from ravl.tasks.match.levels import Unseen
from ravl.training.dual_encoder.pairs import pairs_of
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise, perturb_neighbours

CANDIDATES = 3  # texts of a picture in a step: its own, and wrong ones
CHANCE = 0.1  # how far, in cosines of the dual encoder, chance may go before similarity


@dataclass(frozen=True, eq=False)
class TrainingExamples:
    """What a training step is made of, by training picture and by text.

    Args:
        data: to train on.
        features: of the training pictures, standardised, (n, F).
        texts: of each training picture, positions among the pairs' texts.
        groups: of the training pictures, (n,).
        unseen: of the pictures and texts by dual encoders that have not seen them.
        tokens: of all texts.
    """

    data: MatchFitData
    features: Array
    texts: list[Ints]
    groups: Ints
    unseen: Unseen
    tokens: list[Tensor]

    @classmethod
    def of(cls, data: MatchFitData, unseen: Unseen, words: WordPieceTokenizer) -> TrainingExamples:
        """From what the data holds for training."""
        chosen, pairs = data.splits.train, data.pairs
        own = pairs_of(pairs, chosen)
        starts = np.searchsorted(pairs.owners[own], chosen)
        return cls(
            data,
            data.standard(pairs.features[chosen]),
            np.split(pairs.which[own], starts[1:]),
            pairs.groups[chosen],
            unseen,
            words(pairs.texts),
        )

    def scores(self, pictures: Ints, texts: Ints) -> Array:
        """The dual encoder's cosines of training pictures (b,) with texts (b, c)."""
        of = self.unseen
        read = of.read[of.fold[pictures][:, None], texts]  # (b, c, d)
        cosines: Array = np.einsum("bd,bcd->bc", of.seen[pictures], read)
        return cosines


class PairBatches(Dataset[Batch]):
    """Training pictures with candidate texts and evidence, made into whole batches.

    Args:
        lesson: what they are made of.
        evidence: of the datastore's rows; None for a model that reads none.
        k: neighbours that are read.
        how: they are disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
    """

    def __init__(
        self,
        lesson: TrainingExamples,
        evidence: Evidence | None,
        k: int,
        how: RetrievalNoise,
        order: EpochSampler,
        seed: int,
    ) -> None:
        self._lesson, self._evidence = lesson, evidence
        self._k, self._how, self._order, self._seed = k, how, order, seed

    def __len__(self) -> int:
        return len(self._lesson.features)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch at once, (b * CANDIDATES) pairs, picture by picture."""
        lesson, chosen = self._lesson, np.asarray(positions, np.int64)
        # By epoch and first example, so that a resumed run draws what it would have drawn.
        random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
        texts, there = self.candidates(chosen, random)
        flat = np.repeat(chosen, CANDIDATES)
        dual = lesson.scores(chosen, texts).reshape(-1, 1)
        batch: Batch = {
            "features": torch.from_numpy(lesson.features[flat]),
            "base": torch.from_numpy(dual.astype(np.float32)),
            "tokens": pad_sequence([lesson.tokens[i] for i in texts.ravel()], batch_first=True),
            "there": torch.from_numpy(there),
        }
        if self._evidence is not None:
            neighbours = self.neighbours(chosen, texts, random)
            each = np.repeat(np.arange(len(chosen)), CANDIDATES)
            batch["neighbours"] = gather(
                self._evidence, neighbours.positions[each], neighbours.similarity[each]
            )
        return batch

    def candidates(
        self, chosen: Ints, random: np.random.Generator
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Texts of b pictures, (b, CANDIDATES), their own first, and which of them are there.

        The wrong ones are other pictures' texts of the batch, by the dual encoder's score and
        chance: of its fold, which that encoder has not seen either; no near-duplicate's, and none
        that the picture has itself.
        """
        lesson = self._lesson
        own = np.array([random.choice(lesson.texts[i]) for i in chosen.tolist()])
        scores = lesson.scores(chosen, np.broadcast_to(own, (len(own), len(own))))  # (b, b)
        scores += CHANCE * random.gumbel(size=scores.shape).astype(np.float32)
        groups, fold = lesson.groups[chosen], lesson.unseen.fold[chosen]
        scores[(groups[:, None] == groups) | (fold[:, None] != fold)] = -np.inf
        for i, picture in enumerate(chosen.tolist()):
            scores[i, np.isin(own, lesson.texts[picture])] = -np.inf
        count = min(CANDIDATES - 1, len(chosen))
        best = np.argsort(-scores, axis=1)[:, :count]  # (b, count)
        texts = np.repeat(own[:, None], CANDIDATES, axis=1)
        there = np.zeros(texts.shape, bool)
        texts[:, 1 : count + 1], there[:, 0] = own[best], True
        there[:, 1 : count + 1] = np.isfinite(np.take_along_axis(scores, best, axis=1))
        return texts, there

    def neighbours(self, chosen: Ints, texts: Ints, random: np.random.Generator) -> Neighbours:
        """What is read beside b pictures, (b, k), the same for all texts of a picture.

        Rows that say any of the texts are hidden for all of them: neither an exact echo nor the
        gap that it leaves may tell which text is the right one.
        """
        lesson = self._lesson
        text_owners = lesson.data.text_owners
        hidden = [np.concatenate([text_owners[t] for t in line]) for line in texts.tolist()]
        datastore = lesson.data.datastore
        found = hide(lesson.data.neighbours.take(chosen), datastore, hidden)
        found = perturb_neighbours(found, self._k, len(datastore), self._how, random)
        return hide(found, datastore, _and_own(hidden, chosen, lesson.data))  # strangers, too

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])


def _and_own(hidden: list[Ints], chosen: Ints, data: MatchFitData) -> list[Ints]:
    """The same groups, with those that show the picture itself."""
    shown = data.examples.shown
    pictures = data.splits.train[chosen].tolist()
    return [np.concatenate([h, shown[p]]) for h, p in zip(hidden, pictures, strict=True)]
