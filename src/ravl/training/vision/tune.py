"""Tuning a vision tower on labelled pictures: linear head first, then the top layers with it.

That order keeps what the tower knows (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained
Features", https://arxiv.org/abs/2202.10054).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ravl.encoders.base import Array, Encoder
from ravl.encoders.towers.vision import VisionTower
from ravl.errors import DataError
from ravl.files.whole_file import whole_file, write_text
from ravl.models.linear import HeadFit, LinearHead, Loss, smoothed
from ravl.training.trainer import SLOW
from ravl.training.trainer import train as run_training
from ravl.training.vision.batches import ViewData, ViewOrder
from ravl.training.vision.model import VisionModel, outputs, score
from ravl.training.vision.settings import VisionSettings
from ravl.training.vision.views import Load, ViewSampler, keep_views

DECAYS = (3e-4, 3e-5)  # of the first linear head; validation chooses
DONE, TOWER, HEAD = "done.json", "tower", "head.npz"  # in the run's work folder


@dataclass(frozen=True, eq=False)
class VisionResult:
    """A tuned tower, and how it came to be.

    Args:
        tower: as it was when validation was best.
        head: the linear head that was trained with it.
        before: the validation score of the frozen tower with the linear head that training began
            from: accuracy, or the mean average precision of tags.
        curve: seconds and validation score after each epoch.
        seconds: of everything, looking at the pictures included.
        parameters: how many numbers of the tower learned.
        rejected: positions of pictures that could not be decoded; they took no part.
    """

    tower: VisionTower
    head: LinearHead
    before: float
    curve: list[tuple[float, float]]
    seconds: float
    parameters: int
    rejected: list[int]

    @property
    def score(self) -> float:
        """The validation score of the tuned tower with its head."""
        return max(score for _, score in self.curve)


@dataclass(frozen=True, eq=False)
class _Part:
    """Kept views of the pictures of one part, and which of them could be decoded."""

    data: ViewData
    usable: list[int]
    targets: Array  # (usable, C)
    rejected: list[int]


def tune_vision(
    encoder: Encoder,
    load: Load,
    targets: Array,
    train: Sequence[int],
    validation: Sequence[int],
    *,
    exclusive: bool,
    folder: str | Path,
    settings: VisionSettings | None = None,
    head: LinearHead | None = None,
    class_weights: Array | None = None,
    show: bool | None = None,
    logs: Path | None = None,
) -> VisionResult:
    """Tune the top of an encoder's vision network; the encoder itself stays as it is.

    Killed and called again with the same arguments, it continues where it stopped and gives the
    same result.

    Args:
        encoder: see :class:`~ravl.encoders.towers.vision.VisionTower`.
        load: position -> RGB picture, or PictureError; called from several threads.
        targets: of all positions, (n, C): shares of labels that sum to 1, or tags of 0 and 1.
        train: positions of the pictures to learn from.
        validation: positions of those that choose the best epoch.
        exclusive: one label a picture (softmax) rather than tags (sigmoids).
        folder: of this run alone, for kept maps and checkpoints; the caller removes it.
        settings: see there.
        head: to start from, fitted on the frozen features; None fits one.
        class_weights: of the labels, (C,); None for all equal.
        show: progress bars, None for only on a terminal.
        logs: folder for TensorBoard, None for none.

    Raises:
        DataError: no picture to learn from or to validate on, or more layers than there are.
        EncoderError: see :class:`~ravl.encoders.towers.vision.VisionTower`.
        RavlError: the loss is no longer a number.
    """
    settings, folder, began = settings or VisionSettings(), Path(folder), time.monotonic()
    if (folder / DONE).exists():
        return _finished(folder, encoder)
    folder.mkdir(parents=True, exist_ok=True)
    tower = VisionTower(encoder, settings.strategy)
    settings = replace(settings, learning_rate=settings.learning_rate * tower.lr_scale)
    loss = Loss(exclusive, class_weights, settings.label_smoothing)
    views = ViewSampler(
        _count(settings), settings.horizontal_flip, settings.smallest_crop, settings.seed
    )
    learned = _part(tower, load, targets, train, views, folder / "train.npy", loss, show)
    unseen = _part(
        tower, load, targets, validation, ViewSampler(), folder / "validation.npy", None, show
    )
    first, before = _first_head(tower, learned, unseen, loss, head)
    torch.manual_seed(settings.seed)
    model = VisionModel(tower, first, loss, settings.dropout)
    order = ViewOrder(learned.usable, learned.data.draws, settings.augment, settings.seed)
    curve = run_training(
        model,
        learned.data,
        order,
        lambda: score(outputs(model, unseen.data, unseen.usable), unseen.targets, exclusive),
        folder / "checkpoints",
        settings,
        show,
        "Tuning",
        slow=[(model.tuned, SLOW)],
        logs=logs,
    )
    result = VisionResult(
        tower,
        model.export(first.decay),
        before,
        curve,
        round(time.monotonic() - began, 1),
        tower.parameters,
        learned.rejected + unseen.rejected,
    )
    _finish(folder, result)
    return result


def _count(settings: VisionSettings) -> int:
    """Views to keep of each picture; pixels are kept once, and cropped when they are used."""
    return 1 if settings.strategy == "full" or not settings.augment else settings.views


def _part(
    tower: VisionTower,
    load: Load,
    targets: Array,
    chosen: Sequence[int],
    views: ViewSampler,
    file: Path,
    loss: Loss | None,
    show: bool | None,
) -> _Part:
    """Keep the views of a part; its targets are smoothed where a loss is given."""
    positions: NDArray[np.int64] = np.asarray(chosen, np.int64)
    kept = keep_views(tower, load, positions.tolist(), views, file, show)
    usable = np.setdiff1d(np.arange(len(positions)), kept.rejected)
    if not len(usable):
        raise DataError(
            f"None of the {len(positions)} pictures for {file.stem} can be decoded. The vision "
            "tower needs some to learn from, and some to validate on."
        )
    own = targets[positions].astype(np.float32)
    data = ViewData(kept.maps, smoothed(own, loss) if loss else own, views)
    return _Part(data, usable.tolist(), own[usable], positions[kept.rejected].tolist())


def _first_head(
    tower: VisionTower, learned: _Part, unseen: _Part, loss: Loss, head: LinearHead | None
) -> tuple[LinearHead, float]:
    """A linear head on the features as they are, and its validation score."""
    heads = [head] if head else []
    if not heads:
        features = outputs(tower.tail, learned.data, learned.usable)
        fit = HeadFit(features, learned.targets, loss)
        heads = [fit(decay) for decay in DECAYS]
    features = outputs(tower.tail, unseen.data, unseen.usable)
    scores = [score(h(features), unseen.targets, loss.exclusive) for h in heads]
    best = int(np.argmax(scores))
    return heads[best], scores[best]


# --- once it is done -----------------------------------------------------------------------


def _finish(folder: Path, result: VisionResult) -> None:
    """Note the result, for the same call after a kill between here and the caller's own end."""
    result.tower.save(folder / TOWER)
    with whole_file(folder / HEAD) as half:
        np.savez(half, **cast(Any, result.head.arrays()))
    names = ("before", "curve", "seconds", "parameters", "rejected")
    write_text(folder / DONE, json.dumps({n: getattr(result, n) for n in names}))


def _finished(folder: Path, encoder: Encoder) -> VisionResult:
    known = json.loads((folder / DONE).read_text("utf-8"))
    known["curve"] = [(seconds, value) for seconds, value in known["curve"]]
    with np.load(folder / HEAD) as arrays:
        head = LinearHead.from_arrays(dict(arrays))
    return VisionResult(VisionTower.load(folder / TOWER, encoder), head, **known)
