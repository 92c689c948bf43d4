"""Training of the dual encoder that tells how well a text fits a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ravl.runs.row_texts import base_of, readable
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.image_text_score import ImageTextScorer
from ravl.training.dual_encoder.example_pairs import read_texts
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.train import PairSplits, train_heads
from ravl.training.examples import Examples

EPOCHS = 10  # of a dual encoder
HIDDEN = 1024  # size of the heads' hidden layer
FEWEST = 64  # training pictures with a text that the encoder reads; of fewer nothing is learned


def fit_dual(data: TextFitData, work: Path, show: bool | None) -> ImageTextScorer | None:
    """Heads for the training pictures and their texts, with a hidden layer.

    None where the encoder reads too few of the texts.

    Args:
        data: to train on.
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.
    """
    task = replace(data.task, generated=False)
    base = base_of(data.memory.encoder)
    sides = (data.train.examples, data.validation.examples)
    kept = [
        side.take(
            np.array([i for i, r in enumerate(side.rows) if readable(task, base, r)], np.int64)
        )
        for side in sides
    ]
    if len(kept[0]) < FEWEST or not len(kept[1]):
        return None
    both = _joined(*kept)
    pairs, vectors = read_texts(task, base, both)
    if len(pairs.texts) < FEWEST:
        return None
    count = len(kept[0])
    splits = PairSplits(np.arange(count), np.arange(count, len(both)), np.zeros(0, np.int64))
    folder = work / "dual"
    (folder / "work").mkdir(parents=True, exist_ok=True)
    settings = RetrieverSettings(seed=data.settings.seed, epochs=EPOCHS, hidden=HIDDEN)
    inputs = TrainingInputs(pairs, vectors)
    trained, _, _ = train_heads(inputs, splits, base, folder, settings, show)
    return ImageTextScorer(trained.picture_head, trained.text_head, base)


def _joined(some: Examples, others: Examples) -> Examples:
    return replace(
        some,
        rows=some.rows + others.rows,
        shown=some.shown + others.shown,
        features=np.concatenate([some.features, others.features]),
        groups=np.concatenate([some.groups, others.groups]),
    )
