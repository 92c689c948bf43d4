"""Generators of the hub, of servers and of plug-ins; those of the hub can learn the texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from torch.utils.data import Dataset

from ravl.encoders.towers.freezing import trainable
from ravl.evaluation.generation.quality import Quality
from ravl.models.batch import Batch
from ravl.models.generation.base import GenerationRequest
from ravl.models.generation.constraints import processors
from ravl.models.generation.loading import TRAINABLE, load_generator
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.validation import validation_of
from ravl.training.fit_log import TrainedGenerator
from ravl.training.neighbour_noise import EpochSampler
from ravl.training.refit_plan import SLOWER, copy_weights
from ravl.training.trainer import train


def fit_hub(
    data: TextFitData,
    quality: Quality,
    folder: Path,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: Any = None,
) -> TrainedGenerator:
    """The generator that the settings name, trained as far as they ask for.

    It is trained with the neighbours that it will see when it answers. A server, or the generator
    of a plug-in, is used as it is.

    Args:
        data: to train on.
        quality: of its texts.
        folder: for checkpoints and logs.
        show: progress bars.
        report: called with the validation score after each epoch.
        start: a trained generator of the same kind, whose weights it begins with.
    """
    settings, began = data.settings, time.monotonic()
    if settings.generator.partition(":")[0] != TRAINABLE:
        generator: Any = load_generator(settings.generator, evidence=settings.num_evidence)
        return TrainedGenerator(generator, [], 0.0, 0)
    generator = load_generator(
        settings.generator,
        strategy=settings.tune_language_model,
        evidence=settings.num_evidence,
        constrain=processors,
        **_sees(settings.generator, data),
    )
    count = sum(p.numel() for _, p in trainable(generator.network))
    if not count:
        return TrainedGenerator(generator, [], 0.0, 0)
    if start is not None:
        copy_weights(generator.network, start.network)
        settings = replace(settings, learning_rate=settings.learning_rate * SLOWER)
    order = EpochSampler(np.arange(len(data.train)), settings.seed)
    batches = Conversations(data, generator, order)
    validate = validation_of(data, generator, quality, True, report)
    curve = train(
        generator.network,
        batches,
        order,
        validate,
        folder / "generator" / "checkpoints",
        settings,
        show,
        "Generator with retrieval",
        (),
        folder / "generator" / "logs",
    )
    return TrainedGenerator(generator, curve, round(time.monotonic() - began, 1), count)


class Conversations(Dataset[Batch]):
    """Training pictures as requests with their neighbours, and a text of each as the answer.

    Args:
        data: to train on.
        generator: whose batches are made.
        order: that knows the epoch.
    """

    def __init__(self, data: TextFitData, generator: Any, order: EpochSampler) -> None:
        self._ground, self._generator, self._order = data, generator, order
        self._captioner = TextPredictor(
            data.task,
            data.keys,
            data.vote,
            generator=generator,
            standard=data.standard,
            quotes=data.settings.quotes,
        )

    def __len__(self) -> int:
        return len(self._ground.train)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch: each picture once, with one of its texts."""
        data, settings = self._ground, self._ground.settings
        random = np.random.default_rng([settings.seed, self._order.epoch, int(positions[0])])
        side = data.train.take(np.asarray(positions, np.int64))
        requests = self._captioner.requests(
            side.pictures,
            data.index,
            side.neighbours,
            data.recalled(side),
            opens=data.memory.picture,
        )
        blind = random.random(len(requests)) < settings.retrieval_dropout
        requests = [_alone(r) if b else r for r, b in zip(requests, blind, strict=True)]
        texts = [its[int(random.integers(len(its)))] for its in side.texts]
        batch: Batch = self._generator.collate(requests, texts)
        return batch

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])


def _alone(request: GenerationRequest) -> GenerationRequest:
    return replace(request, evidence_items=(), weighted_texts=())


class _Sees(TypedDict, total=False):
    features: int


def _sees(spec: str, data: TextFitData) -> _Sees:
    """Picture features for a language model that has no eyes of its own."""
    from ravl.models.generation.loading import reads_features

    return {"features": int(data.datastore.features.shape[1])} if reads_features(spec) else {}
