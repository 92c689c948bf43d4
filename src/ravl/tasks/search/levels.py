"""The levels of a fit of the retriever: a closed form, then training by contrast from there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.trained import TrainedEncoder
from ravl.training.dual_encoder.closed_form import ClosedForm, closed_form
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import starting
from ravl.training.dual_encoder.train import PairSplits, train_heads

CCA, CONTRASTIVE = "cca", "contrastive"


@dataclass(frozen=True, eq=False)
class Levels:
    """What was fitted.

    Args:
        chosen: the encoder of the level that is best on the validation part.
        name: of this level.
        recalls: validation R@10, mean of both directions, of each level.
        curve: of training, with the seconds.
        seconds: of all.
    """

    chosen: TrainedEncoder
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
    """Fit the levels that the settings ask for, and choose on the validation part.

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
    first = None
    if not settings.hidden:
        first = _closed_form(material, splits, settings)
        recalls[CCA] = first.recall
    spent = time.monotonic() - began
    if first is not None and settings.model == CCA:
        return Levels(_encoder(first, material, base, settings), CCA, recalls, [], round(spent, 1))
    trained, curve, seconds = train_heads(
        material, splits, base, out, settings, show, first.heads if first else None
    )
    recalls[CONTRASTIVE] = max(score for _, score in curve)
    chosen, name = trained, CONTRASTIVE
    free = settings.model == "auto" and not settings.trains
    if first is not None and free and recalls[CCA] >= recalls[CONTRASTIVE]:
        chosen, name = _encoder(first, material, base, settings), CCA
    return Levels(chosen, name, recalls, curve, round(spent + seconds, 1))


def _closed_form(
    material: TrainingInputs, splits: PairSplits, settings: RetrieverSettings
) -> ClosedForm:
    pairs = material.pairs
    seen, read = starting(material, np.arange(len(pairs.rows)), np.arange(len(pairs.texts)))
    return closed_form(pairs, seen, read, splits.train, splits.validation, settings.dimension)


def _encoder(
    level: ClosedForm, material: TrainingInputs, base: Encoder, settings: RetrieverSettings
) -> TrainedEncoder:
    words = material.words.state() if material.words else {}
    return TrainedEncoder(base, *level.heads, settings.trained_weight, beside=words)
