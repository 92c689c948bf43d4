"""Fitting classify and tag: every level, the choice among them, and the run that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.models.held_out import log_loss
from ravl.models.linear import LinearHead
from ravl.tasks.labels.choosing_examples import choosing_split
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.keys.whitened import whitened_data
from ravl.tasks.labels.levels import fit_vote, held_answers, linear_level
from ravl.tasks.labels.memory_size import with_growth
from ravl.tasks.labels.predictor import Answers, LabelPredictor
from ravl.tasks.labels.self_training import SelfTraining, Unlabelled, self_trained
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.fit_log import FitLog
from ravl.training.selection import one_se_rule

if TYPE_CHECKING:
    from ravl.tasks.labels.keys.fit import Joint
    from ravl.training.language_model import FusionResult

CHOICES = ("linear", "fusion")  # in doubt the first: it has vote and model, and is cheap


@dataclass(kw_only=True)
class Fitted(FitLog):
    """What a fit of classify or tag has made.

    Args:
        levels: predictors by name; ``fusion_off`` was trained without retrieval.
        tower: the fine-tuned vision tower, where there is one.
        joint: what training the retriever with the task came to, where it was asked for.
        self_training: what unlabelled pictures taught, where they were tried.
    """

    levels: dict[str, LabelPredictor] = field(default_factory=dict)
    tower: Any = None
    joint: Joint | None = None
    self_training: SelfTraining | None = None

    @property
    def unlabelled(self) -> Unlabelled | None:
        """Pictures without a label that the head learns from; None for none."""
        tried = self.self_training
        return tried.unlabelled if tried is not None and tried.kept else None


@dataclass(eq=False)
class LevelFitter:
    """All levels that the settings ask for, fitted one on top of the other.

    Args:
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.
        report: see :func:`fit_levels`.
        head: of the linear level.
        logits: see :func:`ravl.tasks.labels.head.fit_head`.
        off: a fusion model that reads no neighbours, once there is one: it is the same whatever
            neighbours are found by.
        start: the predictor whose weights the fusion model begins with, in a refit. There the
            comparison without retrieval is not trained again.
    """

    work: Path
    show: bool | None
    report: Callable[[float], None] | None = None
    head: LinearHead | None = None
    logits: Array | None = None
    off: FusionResult | None = None
    start: LabelPredictor | None = None

    def fit_all(self, data: FitData, fitted: Fitted) -> None:
        """Fit the levels on data, and choose one."""
        self.fit_closed(data, fitted)
        self.fuse_and_choose(data, fitted)

    def fit_closed(self, data: FitData, fitted: Fitted) -> None:
        """Fit the memory's answer, and the linear level on top of it."""
        began = time.monotonic()
        fitted.levels["vote"] = fit_vote(data)
        fitted.seconds["vote"] = _since(began)
        if self.head is None:
            return
        began = time.monotonic()
        linear = linear_level(data, fitted.levels["vote"], self.head, self.logits)
        linear = with_growth(data, linear, self.logits)
        fitted.levels["linear"] = linear
        fitted.seconds["linear"] = round(fitted.seconds.get("linear", 0) + _since(began), 1)
        fitted.parameters["linear"] = self.head.weight.size + self.head.bias.size

    def fuse_and_choose(self, data: FitData, fitted: Fitted) -> None:
        """Train the fusion model where it is asked for, and choose a level."""
        settings = data.settings
        if self.head is None:
            return
        if settings.model in ("auto", "fusion"):
            self._fuse(data, fitted)
        fitted.chosen = settings.model if settings.model != "auto" else _choose(data, fitted)

    def unseen(self, data: FitData) -> Array | None:
        """Base logits (n, C) of the training examples by heads that have not seen them."""
        return None if self.logits is None else self.logits[: len(data.train)]

    def _fuse(self, data: FitData, fitted: Fitted) -> None:
        """Train the fusion model with retrieval and, to compare, without."""
        from ravl.tasks.labels.fusion import fusion_predictor, train_fusion

        linear, unseen = fitted.levels["linear"], self.unseen(data)
        label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels, linear.spread)
        for name, retrieval in (("fusion_off", False), ("fusion", True)):
            if not retrieval and (self.report is not None or self.start is not None):
                continue
            folder = self.work / (f"{name}_learned" if data.trained_keys else name)
            result = (None if retrieval else self.off) or train_fusion(
                data,
                linear,
                label_matrix,
                folder,
                retrieval=retrieval,
                show=self.show,
                unseen=unseen,
                report=self.report,
                start=self.start,
            )
            if not retrieval:
                self.off = result
            fitted.levels[name] = fusion_predictor(data, linear, result, label_matrix)
            fitted.curves[name] = result.curve
            fitted.seconds[name] = result.seconds
            fitted.parameters[name] = result.parameters


def fit_levels(
    data: FitData,
    work: Path,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: LabelPredictor | None = None,
) -> tuple[FitData, Fitted]:
    """Fit what the settings ask for, and choose.

    Args:
        data: to fit on.
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.
        report: called with the validation score after each epoch of the fusion model. If it is
            given, the comparison without retrieval is not trained: a search does not need it.
        start: see :class:`LevelFitter`.

    Returns:
        The data, seen by the fine-tuned tower where there is one and searched by learned keys
        where they are adopted, and what was fitted on it.
    """
    settings, fitted = data.settings, Fitted()
    ladder = LevelFitter(work, show, report, start=start)
    if settings.model != "vote":
        if settings.tune_vision != "head":
            data, ladder.head = _tune(data, fitted, work, show)
        if ladder.head is None:
            began = time.monotonic()
            ladder.head, ladder.logits, fitted.self_training = self_trained(data, *fit_head(data))
            fitted.seconds["linear"] = _since(began)
    plain, data = data, _fit_whitened(data, fitted, ladder)
    ladder.fuse_and_choose(data, fitted)
    if settings.train_retriever:
        from ravl.tasks.labels.keys.fit import fit_jointly

        return fit_jointly(plain, data, fitted, ladder)
    return data, fitted


def _fit_whitened(data: FitData, fitted: Fitted, ladder: LevelFitter) -> FitData:
    """Fit the closed-form levels with plain and with whitened keys; keep what is likelier."""
    ladder.fit_closed(data, fitted)
    began = time.monotonic()
    found = whitened_data(data)
    if found is None:
        return data
    again = Fitted()
    ladder.fit_closed(found, again)
    fitted.seconds["whitening"] = _since(began)
    if _loss(found, again, ladder.logits) >= _loss(data, fitted, ladder.logits):
        return data
    fitted.levels = again.levels
    return found


def _loss(data: FitData, fitted: Fitted, logits: Array | None) -> float:
    """Log loss of the best closed-form level on the examples that choose."""
    level = fitted.levels.get("linear", fitted.levels["vote"])
    side = data.validation if level.head is not None and logits is None else choosing_split(data)
    found = held_answers(data, level, side, logits)
    return log_loss(found, side.targets, data.task.exclusive)


def _tune(
    data: FitData, fitted: Fitted, work: Path, show: bool | None
) -> tuple[FitData, LinearHead | None]:
    """Fine-tune the vision tower; the data as it sees it, and the head that came with it.

    A tower that is no better on validation than the frozen one is not kept.
    """
    from ravl.training.vision.features import tuned_features
    from ravl.training.vision.settings import VisionSettings
    from ravl.training.vision.tune import tune_vision

    settings, encoder = data.settings, data.memory.encoder
    sides = {"train": data.train, "validation": data.validation, "test": data.test}
    rows = [row for side in sides.values() for row in side.examples.rows]
    source, judged = data.train.examples.source, len(rows)
    places = {row.hash: i for i, row in enumerate(rows)}
    others = [row for row in data.datastore.rows if row.hash not in places]  # evidence alone
    places |= {row.hash: i for i, row in enumerate(others, judged)}
    counts = np.cumsum([0, *(len(side) for side in sides.values())])
    spans = [np.arange(a, b) for a, b in pairwise(counts.tolist())]

    def load(i: int) -> Image.Image:
        side = encoder.picture_size
        if i < judged:
            return source.picture(rows[i], hint=side)
        return data.memory.picture(others[i - judged], hint=side)

    how = VisionSettings(
        strategy=settings.tune_vision,
        epochs=settings.vision_epochs,
        seed=settings.seed,
        learning_rate=settings.vision_rate,
        augment=settings.augment,
        horizontal_flip=settings.horizontal_flip,
    )
    result = tune_vision(
        encoder,
        load,
        np.vstack([side.targets for side in sides.values()]),
        spans[0].tolist(),
        spans[1].tolist(),
        exclusive=data.task.exclusive,
        folder=work / "vision",
        settings=how,
        class_weights=data.loss.weights,
        show=show,
        logs=work / "vision" / "logs",
    )
    fitted.curves["vision"] = [(0.0, result.before), *result.curve]
    fitted.seconds["vision"], fitted.parameters["vision"] = result.seconds, result.parameters
    if result.score <= result.before:
        return data, None
    count, file = judged + len(others), work / "vision-features.npy"
    found = tuned_features(result.tower, load, count, file, show)
    fitted.tower = result.tower
    tuned = {name: found[span] for name, span in zip(sides, spans, strict=True)}
    evidence = found[[places[row.hash] for row in data.datastore.rows]]
    return data.seen_by_tower(tuned, evidence), result.head


def _choose(data: FitData, fitted: Fitted) -> str:
    """The linear level, unless the fusion model is better on validation; see :func:`one_se_rule`.

    The vote alone is no choice: the linear level holds it, and weighs it on examples that have seen
    neither; where it does better on a few validation pictures, that is nearly always chance.
    """
    task, names = data.task, data.labels
    found: dict[str, tuple[Array, Array | None]] = {}
    for name in CHOICES:
        answers = validation_answers(data, fitted.levels[name])
        names = answers.names if task.exclusive else data.labels
        limits = None if task.exclusive else fitted.levels[name].limits(names)
        found[name] = wide(answers.probabilities, len(names)), limits
    side = data.validation.examples
    truth = task.truth(side.rows, names)
    chosen, fitted.validation = one_se_rule(task.output_kind, found, truth, side.groups)
    return chosen


def validation_answers(
    data: FitData, predictor: LabelPredictor, vote_only: bool = False
) -> Answers:
    """Answers to the validation split, as the test split will be answered."""
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels, predictor.spread)
    side = data.validation
    evidence = predictor.evidence(label_matrix, data.memory)
    return predictor.answer(
        side.queries, label_matrix, side.seen(predictor.spread), evidence, vote_only=vote_only
    )


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
