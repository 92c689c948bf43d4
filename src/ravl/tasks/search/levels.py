"""The levels of a fit of the retriever: a closed form, then training by contrast from there."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.trained import TrainedEncoder
from ravl.training.dual_encoder.closed_form import ClosedForm, closed_form
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import starting
from ravl.training.dual_encoder.train import PairSplits, train_heads

CCA, WIDE, CONTRASTIVE = "cca", "cca with wide features", "contrastive"
PRICE = (
    0.5  # standard errors of recall that wide features must gain: each picture passes more layers
)


@dataclass(frozen=True, eq=False)
class Levels:
    """What was fitted.

    Args:
        chosen: the encoder of the level that is best on the validation split.
        material: that it takes: without wide features where they gain nothing.
        name: of this level.
        recalls: validation R@10, mean of both directions, of each level.
        curve: of training, with the seconds.
        seconds: of all.
    """

    chosen: TrainedEncoder
    material: TrainingInputs
    name: str
    recalls: dict[str, float]
    curve: list[tuple[float, float]]
    seconds: float


def fit_levels(
    material: TrainingInputs,
    splits: PairSplits,
    base: Encoder,
    out: Path,
    settings: RetrieverSettings,
    show: bool | None,
) -> Levels:
    """Fit the levels that the settings ask for, and choose on the validation split.

    Args:
        material: pairs and all that is computed of them.
        splits: the parts.
        base: the encoder below the heads.
        out: the run's folder.
        settings: see there.
        show: progress bars.
    """
    began = time.monotonic()
    recalls: dict[str, float] = {}
    first, name = None, CONTRASTIVE
    if not settings.hidden:
        first, material, name = _closed_form(material, splits, base, settings, recalls)
    spent = time.monotonic() - began
    if first is not None and settings.model == "cca":
        chosen = _encoder(first, material, base, settings)
        return Levels(chosen, material, name, recalls, [], round(spent, 1))
    start = first.heads if first else None
    trained, curve, seconds = train_heads(material, splits, base, out, settings, show, start)
    recalls[CONTRASTIVE] = max(score for _, score in curve)
    free = settings.model == "auto" and not settings.trains
    if first is None or not free or recalls[CONTRASTIVE] > first.recall:
        chosen, name = trained, CONTRASTIVE
    else:
        chosen = _encoder(first, material, base, settings)
    return Levels(chosen, material, name, recalls, curve, round(spent + seconds, 1))


def _closed_form(
    material: TrainingInputs,
    splits: PairSplits,
    base: Encoder,
    settings: RetrieverSettings,
    recalls: dict[str, float],
) -> tuple[ClosedForm, TrainingInputs, str]:
    """The closed form, with wide features where they pay; notes what was tried in ``recalls``."""

    def fit(some: TrainingInputs) -> ClosedForm:
        pairs = some.pairs
        seen, read = starting(some, np.arange(len(pairs.rows)), np.arange(len(pairs.texts)))
        own = splits.train, splits.validation
        return closed_form(pairs, seen, read, *own, settings.dimension)

    narrow = without_wide(material, base)
    first = fit(narrow)
    recalls[CCA] = first.recall
    if not material.wide:
        return first, material, CCA
    second = fit(material)
    recalls[WIDE] = second.recall
    error = sqrt(second.recall * (1 - second.recall) / len(splits.validation))
    if second.recall > first.recall + PRICE * error:
        return second, material, WIDE
    return first, narrow, CCA


def without_wide(material: TrainingInputs, base: Encoder) -> TrainingInputs:
    """The same pairs without the encoder's wide features."""
    if not material.wide:
        return material
    start, stop = base.dimension, base.dimension + base.wide_text_dimension
    variants = material.variants
    return replace(
        material,
        pairs=replace(material.pairs, beside=None),
        texts=np.delete(material.texts, slice(start, stop), axis=-1),
        variants=None if variants is None else np.delete(variants, slice(start, stop), axis=-1),
        wide=False,
    )


def _encoder(
    level: ClosedForm, material: TrainingInputs, base: Encoder, settings: RetrieverSettings
) -> TrainedEncoder:
    words = material.words.state() if material.words else {}
    share = settings.trained_weight
    return TrainedEncoder(base, *level.heads, share, beside=words, wide=material.wide)
