"""Training of the builtin generator, with neighbours or without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ravl.encoders.towers.freezing import trainable
from ravl.evaluation.generation.quality import Quality
from ravl.models.fusion import FusionConfig
from ravl.models.generation.constraints import processors
from ravl.models.generation.fused import READ, FusedGenerator
from ravl.models.generation.vocabulary import WordVocabulary
from ravl.models.generation.warm_start import new_generator
from ravl.models.silence_transformers import silence_transformers
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.tasks.caption.batches import TextBatches, TrainingExamples
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.reward import learn_from_reward
from ravl.tasks.caption.validation import validation_of
from ravl.training.fit_log import TrainedGenerator
from ravl.training.language_model import language_folder, merge_adapters, prepare_language
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise
from ravl.training.refit_plan import SLOWER, copy_weights
from ravl.training.trainer import train

ENOUGH = 0.995  # share of the training texts that the longest text has room for
HEADS = 7  # tokens that are neither of neighbours nor of words
SPARE = 16  # tokens that a schema may ask for beyond what is usual
MOST_TOKENS = 1024  # of a text that may be learned


def train_generator(
    data: TextFitData,
    quality: Quality,
    folder: Path,
    *,
    retrieval: bool,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: Any = None,
) -> TrainedGenerator:
    """Train the builtin generator and keep the epoch that is best on validation.

    It learns to repeat people's texts first, and then from how good its own are.

    Args:
        data: to train on.
        quality: of its texts.
        folder: for checkpoints and logs of this training.
        retrieval: False for the comparison that reads no neighbours.
        show: progress bars.
        report: called with the validation score after each epoch; what it raises ends the training.
        start: the generator whose words and weights it begins with, at a lower learning rate; None
            for the language model's alone.
    """
    settings = data.settings
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    generator = untrained(data, retrieval, getattr(start, "vocabulary", None))
    if start is not None:
        copy_weights(generator.model, start.model)
        settings = replace(settings, learning_rate=settings.learning_rate * SLOWER)
    prepare_language(generator.model.encoder, settings.tune_language_model)
    recalled = data.recalled(data.train) if retrieval and settings.quotes else []
    lesson = TrainingExamples.of(
        data, data.train, generator.vocabulary, generator.max_new_tokens, retrieval, recalled
    )
    order = EpochSampler(np.arange(len(data.train)), settings.seed)
    batches = TextBatches(
        lesson,
        generator.words,
        generator.evidence,
        settings.quotes,
        RetrievalNoise(settings.retrieval_dropout, settings.retrieval_noise),
        order,
        settings.seed,
    )
    validate = validation_of(data, generator, quality, retrieval, report)
    what = "Generator with retrieval" if retrieval else "Generator without"
    curve = train(
        generator.model,
        batches,
        order,
        validate,
        folder / "checkpoints",
        settings,
        show,
        what,
        (),
        folder / "logs",
    )
    count = sum(p.numel() for _, p in trainable(generator.model))
    if settings.reward_epochs:
        seconds = curve[-1][0] if curve else 0.0
        more = learn_from_reward(
            data, generator, quality, batches, order, validate, folder / "reward", show
        )
        curve += [(seconds + at, score) for at, score in more]
    merge_adapters(generator.model.encoder)
    return TrainedGenerator(generator, curve, round(time.monotonic() - began, 1), count)


def _closer(data: TextFitData) -> dict[str, Any]:
    regions = data.train.regions
    if regions is None:
        return {}
    return {"regions": regions.shape[1], "region_features": regions.shape[2]}


def untrained(
    data: TextFitData, retrieval: bool, known: WordVocabulary | None = None
) -> FusedGenerator:
    """A generator that writes with known words, or else with those of the training texts."""
    settings = data.settings
    texts = [text for its in data.train.texts for text in its]
    vocabulary = known or WordVocabulary.of(texts, settings.words)
    max_new_tokens = settings.max_new_tokens
    if not max_new_tokens:
        lengths = np.array([len(ids) - 1 for ids in vocabulary(texts, MOST_TOKENS)])
        max_new_tokens = int(np.quantile(lengths, ENOUGH, method="higher"))
        max_new_tokens += SPARE if settings.schema else 0
    config = FusionConfig(
        features=data.train.examples.features.shape[1],
        vectors=data.index.row_texts.means.shape[1],
        evidence=min(settings.num_evidence, len(data.datastore)) if retrieval else 0,
        **_closer(data),
    )
    source = language_folder(settings.language_model)
    with silence_transformers():
        model = new_generator(
            config,
            source,
            vocabulary,
            layers=settings.layers,
            dropout=settings.dropout,
            smoothing=settings.label_smoothing,
        )
    places = int(getattr(model.encoder.language.config, "max_position_embeddings", 512))
    room = places - HEADS - 3 * config.evidence
    words = WordPieceTokenizer.load(source, max(1, min(READ, room)))
    max_new_tokens = min(max_new_tokens, int(model.decoder.config.max_position_embeddings) - 1)
    return FusedGenerator(model, vocabulary, words, max_new_tokens, processors)
