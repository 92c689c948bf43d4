"""Training of the heads of a dual encoder, and of the towers below them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ravl.encoders.base import Array, Encoder
from ravl.encoders.heads import Head
from ravl.encoders.trained import TrainedEncoder
from ravl.evaluation import early_recall, ranks_of_relevant
from ravl.files.whole_file import write_text
from ravl.training.dual_encoder.batches import HardNegativeSampler, PairData
from ravl.training.dual_encoder.heads import RetrieverModel
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import Ints, pairs_of, relevant
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import starting
from ravl.training.processes import is_main_process
from ravl.training.trainer import SLOW, train

TOGETHER = 5  # texts of a picture in a batch where looking at it is what costs
STARTED = 0.05  # share of the learning rate for heads that begin as fitted ones


@dataclass(frozen=True, slots=True)
class PairSplits:
    """Positions of pictures for training, validation and test."""

    train: Ints
    validation: Ints
    test: Ints


def train_heads(
    material: TrainingInputs,
    splits: PairSplits,
    base: Encoder,
    out: Path,
    settings: RetrieverSettings,
    show: bool | None,
    start: tuple[Head, Head] | None = None,
) -> tuple[TrainedEncoder, list[tuple[float, float]], float]:
    """The encoder with trained heads, from the run's folder if training had ended already.

    Args:
        material: pairs and all that is computed of them.
        splits: the parts.
        base: the encoder below the heads.
        out: the run's folder, with a folder ``work``.
        settings: of the heads and their training.
        show: a progress bar.
        start: the heads for pictures and for texts to begin with; None for random ones.

    Returns:
        The encoder, the validation score after each epoch with the seconds, and the seconds in all.
    """
    folder, log = out / "work" / "heads", out / "work" / "curve.json"
    if folder.is_dir() and log.exists():
        known = json.loads(log.read_text("utf-8"))
        return TrainedEncoder.load(folder, base), [*map(tuple, known["curve"])], known["seconds"]
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    pairs, vision, text = material.pairs, material.vision, material.text
    chosen = pairs_of(pairs, splits.train)
    first: tuple[Array | Head, Array | Head]
    first = start or starting(material, splits.train, np.unique(pairs.which[chosen]))
    model = RetrieverModel(
        first[0],
        first[1],
        settings,
        vision.tail if vision else None,
        text.network if text else None,
        material.teacher.sharpness if material.teacher else 1.0,
    )

    def embed() -> tuple[Array, Array]:
        """Training pictures and the means of their texts, as of now."""
        which, place = np.unique(pairs.which[chosen], return_inverse=True)
        seen, read = model.embed(material, splits.train, which)
        sums = np.zeros((len(pairs.rows), read.shape[1]), np.float32)
        np.add.at(sums, pairs.owners[chosen], read[place])
        means = sums[splits.train]
        return seen, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)

    order = HardNegativeSampler(
        chosen,
        pairs.owners[chosen],
        pairs.groups,
        settings.hard_negatives,
        embed,
        settings.seed,
        TOGETHER if vision else 1,
    )
    towers = [tower for tower in (vision, text) if tower]
    slow: list[tuple[list[torch.nn.Parameter], float]] = [
        (tower.learning, SLOW * min(tower.lr_scale for tower in towers)) for tower in towers
    ]
    if start is not None:
        slow.append(([*model.pictures.parameters(), *model.texts.parameters()], STARTED))
    curve = train(
        model,
        PairData(material, order, settings.seed),
        order,
        _validation(model, material, splits.validation),
        out / "work" / "checkpoints",
        settings,
        show,
        "Training",
        slow,
    )
    beside = material.words.state() if material.words else {}
    beside |= {name: data for tower in towers for name, data in tower.state().items()}
    heads = model.pictures.export(), model.texts.export()
    encoder = TrainedEncoder(
        base, *heads, settings.trained_weight, beside=beside, wide=material.wide
    )
    seconds = round(time.monotonic() - began, 1)
    if is_main_process():
        encoder.save(folder)
        write_text(log, json.dumps({"curve": curve, "seconds": seconds}))
    return encoder, curve, seconds


def _validation(
    model: RetrieverModel, material: TrainingInputs, chosen: Ints
) -> Callable[[], float]:
    """A function: mean of R@10 both ways on the validation pictures, of the model as it is."""
    which, of_text, of_picture = relevant(material.pairs, chosen)

    def score() -> float:
        seen, read = model.embed(material, chosen, which)
        both = (ranks_of_relevant(read, seen, of_text), ranks_of_relevant(seen, read, of_picture))
        return early_recall(both, len(chosen))

    return score
