"""Training of the fusion model, with retrieved evidence or without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ravl.encoders.base import Array
from ravl.encoders.towers.freezing import trainable
from ravl.evaluation import PRIMARY, values
from ravl.models.fusion import FusionModel
from ravl.models.gate import fit_gate, probabilities
from ravl.models.held_out import temperature_of
from ravl.models.reader import Reader
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.retrieval.datastore import Ints
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.labels.batches import FusionData
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.levels import finished
from ravl.tasks.labels.predictor import LabelPredictor, Queries
from ravl.tasks.labels.votes import LabelMatrix
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


def train_fusion(
    data: FitData,
    linear: LabelPredictor,
    label_matrix: LabelMatrix,
    folder: Path,
    *,
    retrieval: bool,
    show: bool | None,
    unseen: Array | None = None,
    report: Callable[[float], None] | None = None,
    start: LabelPredictor | None = None,
) -> FusionResult:
    """Train the fusion model, with evidence or without, and keep the epoch best on validation.

    Args:
        data: to train on.
        linear: the level below, whose head its base starts from.
        label_matrix: of the data's datastore.
        folder: for checkpoints and logs of this training.
        retrieval: False for the comparison that reads no neighbours.
        show: progress bars.
        unseen: base logits (n, C) of the training examples by heads that have not seen them.
        report: called with the validation score after each epoch; what it raises ends the training.
        start: the predictor whose weights it begins with, at a lower learning rate; None for the
            language model's alone.
    """
    settings, head = data.settings, linear.head
    assert head is not None
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    k = min(settings.num_evidence, len(data.datastore)) if retrieval else 0
    model = new_model(
        settings,
        features=head.weight.shape[1],
        vectors=data.task.encoder(data.memory).dimension,
        labels=len(data.labels),
        exclusive=data.task.exclusive,
        base=head.weight.shape[1],
        k=k,
        weights=data.loss.weights,
    )
    with torch.no_grad():
        model.base.weight.copy_(torch.from_numpy(head.weight))
        model.base.bias.copy_(torch.from_numpy(head.bias))
    model.base.requires_grad_(False)  # it is the best of its kind already
    if start is not None and start.reader is not None:
        warm_start(model, start, data.labels)
        settings = replace(settings, learning_rate=settings.learning_rate * SLOWER)
    slow = prepare_language(model, settings.tune_language_model)
    evidence = _evidence(data, linear, label_matrix) if retrieval else None
    texts = data.train.queries.texts
    words = words_of(model, settings.language_model, 3 * k) if texts is not None else None
    reader = Reader(model)
    order = EpochSampler(np.arange(len(data.train)), settings.seed)
    batches = FusionData(
        head.standard(data.train.queries.seen),
        data.train.targets,
        data.train.seen(linear.spread) if retrieval else None,
        evidence,
        k,
        RetrievalNoise(settings.retrieval_dropout, settings.retrieval_noise),
        order,
        settings.seed,
        [data.datastore.showing(groups) for groups in data.train.examples.shown],
        unseen,
        _tokens(words, data.train.queries),
    )
    held = data.validation
    seen, truth = head.standard(held.queries.seen), data.truth(held)
    neighbours = held.seen(linear.spread) if retrieval else None
    tokens = _tokens(words, held.queries)

    def read() -> Array:
        return reader(seen, neighbours, evidence, tokens=tokens)

    curve = train(
        model,
        batches,
        order,
        _validation(read, truth, data, report),
        folder / "checkpoints",
        settings,
        show,
        "Fusion with retrieval" if retrieval else "Fusion without",
        [(slow, SLOW)],
        folder / "logs",
    )
    count = sum(p.numel() for _, p in trainable(model))
    merge_adapters(model)
    return FusionResult(reader, curve, round(time.monotonic() - began, 1), count, words)


def warm_start(model: FusionModel, start: LabelPredictor, labels: list[str]) -> None:
    """Take over what another fusion model has learned, but for its base.

    What it says of a label goes to the same label; a label that it does not know starts at zero.
    """
    assert start.reader is not None
    copy_weights(model, start.reader.model, (*OWN, "out."))
    places = {label: i for i, label in enumerate(start.labels)}
    both = [(i, places[label]) for i, label in enumerate(labels) if label in places]
    here, there = (list(side) for side in zip(*both, strict=True)) if both else ([], [])
    old, own = start.reader.model.out.state_dict(), model.out.state_dict()
    for name, tensor in own.items():
        tensor[here] = old[name][there]


def _tokens(words: WordPieceTokenizer | None, queries: Queries) -> list[Tensor] | None:
    return words(queries.texts) if words is not None and queries.texts is not None else None


def _evidence(data: FitData, linear: LabelPredictor, label_matrix: LabelMatrix) -> EvidenceArrays:
    features = linear.standard(data.datastore.features)
    return EvidenceArrays.of(label_matrix, features, data.memory, data.task)


def _validation(
    read: Callable[[], Array],
    truth: Ints,
    data: FitData,
    report: Callable[[float], None] | None,
) -> Callable[[], float]:
    """A function: the task's score on the validation split, less a tenth of its surprise.

    The likelihood tells epochs apart that answer alike.
    """
    task = data.task

    def validate() -> float:
        found = probabilities(read(), task.exclusive)
        if not np.isfinite(found).all():
            return float("nan")  # the trainer says what to do
        scores = values(task.output_kind, found, truth)
        primary = scores.get(PRIMARY[task.output_kind], 0.0)
        score = float(primary - 0.1 * scores["log_loss"])
        if report is not None:
            report(score)
        return score

    return validate


def fusion_predictor(
    data: FitData, linear: LabelPredictor, result: FusionResult, label_matrix: LabelMatrix
) -> LabelPredictor:
    """A predictor around a trained fusion model; its gate is fitted on the validation split."""
    side = data.validation
    neighbours = side.seen(linear.spread)
    fused = replace(linear, reader=result.reader, words=result.words)
    logits = fused.logits(side.queries, neighbours, _evidence(data, linear, label_matrix))
    votes = linear.vote(neighbours, label_matrix.labels, label_matrix.worth)[
        :, : label_matrix.known
    ]
    similarity = neighbours.best_similarity
    gate = fit_gate(votes, logits, similarity, side.targets, data.task.exclusive)
    alone = temperature_of(fused.logits(side.queries), side.targets, data.task.exclusive)
    predictor = replace(fused, gate=gate, alone=alone)
    return finished(predictor, data, side, gate(votes, logits, similarity)[0])
