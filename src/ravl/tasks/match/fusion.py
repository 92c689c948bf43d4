"""Training of the fusion model for match: a picture, its text, and wrong texts that are hard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ravl.encoders.towers.freezing import trainable
from ravl.evaluation import BINARY, PRIMARY, values
from ravl.models.evidence import Evidence
from ravl.models.fusion import FusionModel
from ravl.models.reader import Reader
from ravl.models.stacking import fit_stack, sigmoid
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.tasks.match.batches import PairBatches, TrainingExamples
from ravl.tasks.match.dataset import MatchFitData
from ravl.tasks.match.levels import Unseen
from ravl.tasks.match.predictor import MatchPredictor
from ravl.training.language_model import (
    OWN,
    FusionResult,
    merge_adapters,
    new_model,
    prepare_language,
    words_of,
)
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise
from ravl.training.refit_plan import SLOWER, copy_weights
from ravl.training.trainer import SLOW, train

EPOCH = 2048  # pictures of an epoch, drawn anew each time; an epoch should take minutes
WATCHED = 1000  # validation pairs that are scored after each epoch
ABSENT = -1e4  # logit of a text that is not there


class PairModel(nn.Module):
    """A fusion model with the loss of pairs: each for itself, and a picture's texts compared.

    Args:
        fusion: of one answer.
    """

    def __init__(self, fusion: FusionModel) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(
        self,
        features: Tensor,
        base: Tensor,
        tokens: Tensor,
        there: Tensor,
        neighbours: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The loss of b pictures with c texts each, the first of which is right.

        Args:
            features, base, tokens, neighbours: of b * c pairs, see :class:`FusionModel`.
            there: which texts count, (b, c) booleans.
        """
        logits = self.fusion(features, base, tokens, neighbours).logits.view(there.shape)  # (b, c)
        wrong = there[:, 1:].float()
        right = F.softplus(-logits[:, 0]).mean()
        other = (F.softplus(logits[:, 1:]) * wrong).sum() / wrong.sum().clamp(min=1)
        best = logits.masked_fill(~there, ABSENT).log_softmax(1)[:, 0]
        return {"loss": (right + other) / 2 - best.mean()}


def train_pairs(
    data: MatchFitData,
    dual: MatchPredictor,
    unseen: Unseen,
    folder: Path,
    *,
    retrieval: bool,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: MatchPredictor | None = None,
) -> tuple[FusionResult, WordPieceTokenizer]:
    """Train the fusion model, with evidence or without, and keep the epoch best on validation.

    Args:
        data: to train on.
        dual: the level below, whose score is its base: untrained, it answers as that does.
        unseen: the same score in training, by encoders that have not seen the pair.
        folder: for checkpoints and logs of this training.
        retrieval: False for the comparison that reads no neighbours.
        show: progress bars.
        report: called with the validation score after each epoch; what it raises ends the training.
        start: the predictor whose weights it begins with, at a lower learning rate; None for the
            language model's alone.
    """
    settings = data.settings
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    k = min(settings.num_evidence, len(data.datastore)) if retrieval else 0
    model = _new(data, dual, k)
    if start is not None and start.reader is not None:
        copy_weights(model, start.reader.model, OWN)
        settings = replace(settings, learning_rate=settings.learning_rate * SLOWER)
    slow = prepare_language(model, settings.tune_language_model)
    words = words_of(model, settings.language_model, 2 * k)
    evidence = data.row_texts.evidence(data.standard) if retrieval else None
    order = EpochSampler(np.arange(len(data.splits.train)), settings.seed, EPOCH)
    batches = PairBatches(
        TrainingExamples.of(data, unseen, words),
        evidence,
        k,
        RetrievalNoise(settings.retrieval_dropout, settings.retrieval_noise),
        order,
        settings.seed,
    )
    reader = Reader(model)
    curve = train(
        PairModel(model),
        batches,
        order,
        _validation(data, dual, reader, words, evidence, report),
        folder / "checkpoints",
        settings,
        show,
        "Fusion with retrieval" if retrieval else "Fusion without",
        [(slow, SLOW)],
        folder / "logs",
    )
    count = sum(p.numel() for _, p in trainable(model))
    merge_adapters(model)
    seconds = round(time.monotonic() - began, 1)
    return FusionResult(reader, curve, seconds, count), words


def _new(data: MatchFitData, dual: MatchPredictor, k: int) -> FusionModel:
    """An untrained model whose logit is the dual encoder's, scaled to log odds."""
    side = data.validation
    scores = dual.from_model(side.asked)
    stack = fit_stack(scores, ("dual",), side.targets)
    slope = float(stack.weights[0] / stack.scale[0])
    features = data.examples.features.shape[1]
    model = new_model(
        data.settings,
        features=features,
        vectors=data.vectors.shape[1],
        labels=1,
        exclusive=False,
        base=1,
        k=k,
        weights=None,
    )
    with torch.no_grad():
        model.base.weight.fill_(slope)
        model.base.bias.fill_(stack.bias - slope * float(stack.mean[0]))
    model.base.requires_grad_(False)
    return model


def _validation(
    data: MatchFitData,
    dual: MatchPredictor,
    reader: Reader,
    words: WordPieceTokenizer,
    evidence: Evidence | None,
    report: Callable[[float], None] | None,
) -> Callable[[], float]:
    """A function: AUC on some validation pairs, less a tenth of their surprise."""
    side = data.validation
    random = np.random.default_rng(data.settings.seed)
    if len(side) > WATCHED:
        side = side.take(np.sort(random.choice(len(side), WATCHED, replace=False)))
    asked = side.asked
    base = dual.from_model(asked)["dual"][:, None]
    features = data.standard(asked.features)[asked.picture]
    read = words(asked.texts)
    tokens = [read[i] for i in asked.text.tolist()]
    neighbours = side.clues.neighbours if evidence is not None else None

    def score() -> float:
        logits = reader(features, neighbours, evidence, base=base, tokens=tokens)[:, 0]
        if not np.isfinite(logits).all():
            return float("nan")  # the trainer says what to do
        found = values(BINARY, sigmoid(logits), side.targets)
        reached = float(found.get(PRIMARY[BINARY], 0.0) - 0.1 * found["log_loss"])
        if report is not None:
            report(reached)
        return reached

    return score
