"""Fitting a task that writes: every level, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.levels import Level, fit_vote, with_generator
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.writing_task import CAPTION, WritingTask
from ravl.training.fit_log import FitLog, TrainedGenerator

CLEAR = 1.64  # standard errors by which the generator must be better than the memory's own texts


@dataclass(kw_only=True)
class TextFitted(FitLog):
    """What a fit of a task that writes has made.

    Args:
        finished: levels by name; ``generator_off`` was trained without retrieval, and
            ``question_only`` without pictures.
        measure: of the validation scores.
    """

    finished: dict[str, Level] = field(default_factory=dict)
    measure: str = "CIDEr-D"

    @property
    def levels(self) -> dict[str, TextPredictor]:
        """The predictors alone."""
        return {name: level.predictor for name, level in self.finished.items()}


def fit_levels(
    data: TextFitData,
    work: Path,
    show: bool | None,
    *,
    quality: Quality,
    good: QualityBar,
    report: Callable[[float], None] | None = None,
    writing: WritingTask = CAPTION,
    start: TextPredictor | None = None,
) -> TextFitted:
    """Fit what the settings ask for, and choose.

    Args:
        data: to fit on.
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.
        quality: of texts.
        good: what counts as good.
        report: called with the validation score after each epoch of the generator. If it is given,
            the comparisons are not trained: a search does not need them.
        writing: what this task has of its own.
        start: the predictor whose generator is trained on, in a refit. There the comparisons are
            not trained again, either.
    """
    settings, fitted = data.settings, TextFitted(measure=quality.measure)
    began = time.monotonic()
    vote = fitted.finished["vote"] = fit_vote(data, quality, good)
    fitted.seconds["vote"] = round(time.monotonic() - began, 1)
    if settings.model == "vote":
        return fitted
    from ravl.tasks.caption.dual_encoder import fit_dual

    fits = None
    if writing.fits:
        began = time.monotonic()
        fits = fit_dual(data, work, show)
        fitted.seconds["dual encoder"] = round(time.monotonic() - began, 1)
    for name, seen, made in _generators(data, work, show, quality, report, writing, start):
        fitted.finished[name] = with_generator(
            seen, vote.predictor, made.generator, quality, good, fits
        )
        fitted.curves[name], fitted.seconds[name] = made.curve, made.seconds
        fitted.parameters[name] = made.parameters
    fitted.chosen = "generator" if settings.model == "generator" else _choose(fitted)
    return fitted


def _generators(
    data: TextFitData,
    work: Path,
    show: bool | None,
    quality: Quality,
    report: Callable[[float], None] | None,
    writing: WritingTask,
    start: TextPredictor | None,
) -> Iterator[tuple[str, TextFitData, TrainedGenerator]]:
    """The generators that the settings ask for, and what each was trained on.

    To compare, one without retrieval and one without pictures come first.
    """
    settings, known = data.settings, start.generator if start is not None else None
    if settings.generator != "builtin":
        from ravl.tasks.caption.hub import fit_hub

        yield "generator", data, fit_hub(data, quality, work, show, report, known)
        return
    from ravl.tasks.caption.generator import train_generator

    wanted = [("generator", data, True)]
    if report is None and start is None and settings.compare == "trained":
        wanted.insert(0, ("generator_off", data, False))
        if writing.blind is not None:
            wanted.insert(0, ("question_only", writing.blind(data), False))
    for name, seen, retrieval in wanted:
        trained = train_generator(
            seen, quality, work / name, retrieval=retrieval, show=show, report=report, start=known
        )
        yield name, seen, trained


def _choose(fitted: TextFitted) -> str:
    """The memory's own texts, unless the generator is clearly better on validation."""
    rated = {name: fitted.finished[name].rated for name in ("vote", "generator")}
    fitted.validation = {name: round(float(values.mean()), 4) for name, values in rated.items()}
    gain = rated["generator"] - rated["vote"]
    error = float(gain.std()) / np.sqrt(max(len(gain), 1))
    return "generator" if float(gain.mean()) > CLEAR * error else "vote"
