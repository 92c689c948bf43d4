"""Training of the fusion model for match: a picture, its text, and wrong texts that are hard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ravl.encoders.base import Array
from ravl.encoders.builtin_parts import minilm_folder
from ravl.evaluation import PRIMARY, values
from ravl.models.freezing import trainable
from ravl.models.fusion import FusionModel
from ravl.models.reader import Reader, gather
from ravl.models.stacking import fit_stack, sigmoid
from ravl.models.words import LONGEST, Words
from ravl.retrieval.bank import Ints, Neighbours
from ravl.tasks.matcher import Matcher, evidence_arrays
from ravl.tasks.testimony import EvidenceArrays
from ravl.training.fusion import (
    Disturbance,
    FusionResult,
    Shuffled,
    disturb,
    merge_adapters,
    new_model,
    prepare_language,
)
from ravl.training.match_ground import MatchGround, hide
from ravl.training.match_levels import Unseen
from ravl.training.pairs import pairs_of
from ravl.training.trainer import train

CANDIDATES = 3  # texts of a picture in a step: its own, and wrong ones
CHANCE = 0.1  # how far, in cosines of the dual encoder, chance may go before likeness
EPOCH = 2048  # pictures of an epoch, drawn anew each time; an epoch shall take minutes
WATCHED = 1000  # validation pairs that are scored after each epoch
OTHERS = 8  # tokens that are neither of the text nor of neighbours
ABSENT = -1e4  # logit of a text that is not there


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a training step is made of, by training picture and by text.

    Args:
        ground: to train on.
        features: of the training pictures, standardised, (n, F).
        texts: of each training picture, positions among the pairs' texts.
        groups: of the training pictures, (n,).
        unseen: of the pictures and texts by dual encoders that have not seen them.
        tokens: of all texts.
    """

    ground: MatchGround
    features: Array
    texts: list[Ints]
    groups: Ints
    unseen: Unseen
    tokens: list[Tensor]

    @classmethod
    def of(cls, ground: MatchGround, unseen: Unseen, words: Words) -> Lesson:
        """From what the ground holds for training."""
        chosen, pairs = ground.parts.train, ground.pairs
        own = pairs_of(pairs, chosen)
        starts = np.searchsorted(pairs.owners[own], chosen)
        return cls(
            ground, ground.standard(pairs.features[chosen]),
            np.split(pairs.which[own], starts[1:]), pairs.groups[chosen], unseen,
            words(pairs.texts),
        )  # fmt: skip

    def scores(self, pictures: Ints, texts: Ints) -> Array:
        """The dual encoder's cosines of training pictures (b,) with texts (b, c)."""
        of = self.unseen
        read = of.read[of.fold[pictures][:, None], texts]  # (b, c, d)
        cosines: Array = np.einsum("bd,bcd->bc", of.seen[pictures], read)
        return cosines


class PairBatches(Dataset[dict[str, Any]]):
    """Training pictures with candidate texts and evidence, made into whole batches.

    Args:
        lesson: what they are made of.
        evidence: of the bank's rows; None for a model that reads none.
        k: neighbours that are read.
        how: they are disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
    """

    def __init__(
        self, lesson: Lesson, evidence: EvidenceArrays | None, k: int, how: Disturbance,
        order: Shuffled, seed: int,
    ) -> None:  # fmt: skip
        self._lesson, self._evidence = lesson, evidence
        self._k, self._how, self._order, self._seed = k, how, order, seed

    def __len__(self) -> int:
        return len(self._lesson.features)

    def __getitems__(self, positions: Sequence[int]) -> dict[str, Any]:
        """A whole batch at once, (b * CANDIDATES) pairs, picture by picture."""
        lesson, chosen = self._lesson, np.asarray(positions, np.int64)
        # By epoch and first example, so that a resumed run draws what it would have drawn.
        random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
        texts, there = self.candidates(chosen, random)
        flat = np.repeat(chosen, CANDIDATES)
        dual = lesson.scores(chosen, texts).reshape(-1, 1)
        batch: dict[str, Any] = {
            "features": torch.from_numpy(lesson.features[flat]),
            "base": torch.from_numpy(dual.astype(np.float32)),
            "tokens": pad_sequence([lesson.tokens[i] for i in texts.ravel()], batch_first=True),
            "there": torch.from_numpy(there),
        }  # fmt: skip
        if self._evidence is not None:
            near = self.neighbours(chosen, texts, random)
            each = np.repeat(np.arange(len(chosen)), CANDIDATES)
            batch["near"] = gather(self._evidence, near.positions[each], near.likeness[each])
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
        sayers = lesson.ground.sayers
        hidden = [np.concatenate([sayers[t] for t in line]) for line in texts.tolist()]
        bank = lesson.ground.bank
        found = hide(lesson.ground.near.take(chosen), bank, hidden)
        found = disturb(found, self._k, len(bank), self._how, random)
        return hide(found, bank, _and_own(hidden, chosen, lesson.ground))  # strangers, too

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])


class PairModel(nn.Module):
    """A fusion model with the loss of pairs: each for itself, and a picture's texts compared.

    Args:
        fusion: of one answer.
    """

    def __init__(self, fusion: FusionModel) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(
        self, features: Tensor, base: Tensor, tokens: Tensor, there: Tensor,
        near: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The loss of b pictures with c texts each, the first of which is right.

        Args:
            features, base, tokens, near: of b * c pairs, see :class:`FusionModel`.
            there: which texts count, (b, c) booleans.
        """
        logits = self.fusion(features, base, tokens, near).logits.view(there.shape)  # (b, c)
        wrong = there[:, 1:].float()
        right = F.softplus(-logits[:, 0]).mean()
        other = (F.softplus(logits[:, 1:]) * wrong).sum() / wrong.sum().clamp(min=1)
        best = logits.masked_fill(~there, ABSENT).log_softmax(1)[:, 0]
        return {"loss": (right + other) / 2 - best.mean()}


def train_pairs(
    ground: MatchGround, dual: Matcher, unseen: Unseen, folder: Path, *, retrieval: bool,
    show: bool | None,
) -> tuple[FusionResult, Words]:  # fmt: skip
    """Train the fusion model, with evidence or without, and keep the epoch best on validation.

    Args:
        ground: to train on.
        dual: the level below, whose score is its base: untrained, it answers as that does.
        unseen: the same score in training, by encoders that have not seen the pair.
        folder: for checkpoints and logs of this training.
        retrieval: False for the comparison that reads no neighbours.
        show: progress bars.
    """
    settings = ground.settings
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    k = min(settings.evidence, len(ground.bank)) if retrieval else 0
    model = _new(ground, dual, k)
    slow = prepare_language(model, settings)
    words = _words(model, settings.language_model, k)
    evidence = evidence_arrays(ground.said, ground.standard) if retrieval else None
    order = Shuffled(np.arange(len(ground.parts.train)), settings.seed, EPOCH)
    data = PairBatches(
        Lesson.of(ground, unseen, words), evidence, k,
        Disturbance(settings.retrieval_dropout, settings.noise), order, settings.seed,
    )  # fmt: skip
    reader = Reader(model)
    curve = train(
        PairModel(model), data, order, _validation(ground, dual, reader, words, evidence),
        folder / "checkpoints", settings, show,
        "Fusion with retrieval" if retrieval else "Fusion without", slow, folder / "logs",
    )  # fmt: skip
    count = sum(p.numel() for _, p in trainable(model))
    merge_adapters(model)
    seconds = round(time.monotonic() - began, 1)
    return FusionResult(reader, curve, seconds, count), words


def _new(ground: MatchGround, dual: Matcher, k: int) -> FusionModel:
    """An untrained model whose logit is the dual encoder's, scaled to log odds."""
    side = ground.validation
    scores = dual.from_model(side.asked)
    stack = fit_stack(scores, ("dual",), side.targets)
    slope = float(stack.weights[0] / stack.scale[0])
    features = ground.labelled.features.shape[1]
    model = new_model(
        ground.settings, features=features, vectors=ground.vectors.shape[1], labels=1,
        exclusive=False, base=1, k=k, weights=None,
    )  # fmt: skip
    with torch.no_grad():
        model.base.weight.fill_(slope)
        model.base.bias.fill_(stack.bias - slope * float(stack.mean[0]))
    model.base.requires_grad_(False)
    return model


def _words(model: FusionModel, name: str, k: int) -> Words:
    """The language model's tokenizer, for texts as long as there are positions for."""
    places = int(getattr(model.language.config, "max_position_embeddings", 512))
    longest = min(LONGEST, places - OTHERS - model.config.picture_tokens - 2 * k)
    return Words.load(minilm_folder() if name == "builtin" else name, max(1, longest))


def _validation(
    ground: MatchGround, dual: Matcher, reader: Reader, words: Words,
    evidence: EvidenceArrays | None,
) -> Callable[[], float]:  # fmt: skip
    """A function: AUC on some validation pairs, less a tenth of their surprise."""
    side = ground.validation
    random = np.random.default_rng(ground.settings.seed)
    if len(side) > WATCHED:
        side = side.take(np.sort(random.choice(len(side), WATCHED, replace=False)))
    asked = side.asked
    base = dual.from_model(asked)["dual"][:, None]
    features = ground.standard(asked.features)[asked.picture]
    read = words(asked.texts)
    tokens = [read[i] for i in asked.text.tolist()]
    near = side.clues.near if evidence is not None else None

    def score() -> float:
        logits = reader(features, near, evidence, base=base, tokens=tokens)[:, 0]
        found = values("match", sigmoid(logits), side.targets)
        return float(found.get(PRIMARY["match"], 0.0) - 0.1 * found["log_loss"])

    return score


def _and_own(hidden: list[Ints], chosen: Ints, ground: MatchGround) -> list[Ints]:
    """The same groups, with those that show the picture itself."""
    shown = ground.labelled.shown
    pictures = ground.parts.train[chosen].tolist()
    return [np.concatenate([h, shown[p]]) for h, p in zip(hidden, pictures, strict=True)]
