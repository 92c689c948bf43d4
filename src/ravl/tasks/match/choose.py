"""Fitting match: every level, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ravl.encoders.base import Array
from ravl.evaluation import BINARY
from ravl.tasks.match.dataset import MatchFitData
from ravl.tasks.match.levels import fit_dual, fit_unseen, fit_vote, out_of_fold, stacked
from ravl.tasks.match.predictor import MatchPredictor
from ravl.training.fit_log import FitLog
from ravl.training.selection import one_se_rule

LEVELS = ("linear", "vote", "fusion")  # in doubt the first: it has vote and model, and is cheap


@dataclass(kw_only=True)
class MatchFitted(FitLog):
    """What a fit of match has made.

    Args:
        levels: predictors by name; ``fusion_off`` was trained without retrieval.
    """

    levels: dict[str, MatchPredictor] = field(default_factory=dict)


def fit_levels(
    data: MatchFitData,
    work: Path,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: MatchPredictor | None = None,
) -> MatchFitted:
    """Fit what the settings ask for, and choose.

    Args:
        data: to fit on.
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.
        report: called with the validation score after each epoch of the fusion model. If it is
            given, the comparison without retrieval is not trained: a search does not need it.
        start: the predictor whose weights the fusion model begins with, in a refit. There the
            comparison is not trained again, either.
    """
    settings, fitted = data.settings, MatchFitted()
    began = time.monotonic()
    fitted.levels["vote"] = fit_vote(data)
    fitted.seconds["vote"] = round(time.monotonic() - began, 1)
    if settings.model == "vote":
        return fitted
    dual, curve, seconds, count = fit_dual(data, fitted.levels["vote"], work, show)
    fitted.levels["linear"] = dual
    fitted.curves["dual"], fitted.seconds["linear"] = curve, seconds
    fitted.parameters["linear"] = count
    if settings.model in ("auto", "fusion"):
        _fuse(data, fitted, work, show, report, start)
    fitted.chosen = settings.model if settings.model != "auto" else _choose(data, fitted)
    return fitted


def _fuse(
    data: MatchFitData,
    fitted: MatchFitted,
    work: Path,
    show: bool | None,
    report: Callable[[float], None] | None,
    start: MatchPredictor | None,
) -> None:
    """Train the fusion model with retrieval and, to compare, without."""
    from ravl.tasks.match.fusion import train_pairs

    dual = fitted.levels["linear"]
    began = time.monotonic()
    unseen = fit_unseen(data, dual, work, show)
    fitted.seconds["linear, out of fold"] = round(time.monotonic() - began, 1)
    for name, retrieval in (("fusion_off", False), ("fusion", True)):
        if not retrieval and (report is not None or start is not None):
            continue
        result, words = train_pairs(
            data,
            dual,
            unseen,
            work / name,
            retrieval=retrieval,
            show=show,
            report=report,
            start=start,
        )
        fitted.levels[name] = stacked(data, replace(dual, reader=result.reader, words=words))
        fitted.curves[name] = result.curve
        fitted.seconds[name] = result.seconds
        fitted.parameters[name] = result.parameters


def _choose(data: MatchFitData, fitted: MatchFitted) -> str:
    """The simplest level that is as good as the best on validation, out of fold."""
    side = data.validation
    found = {name: (unseen_answers(data, fitted, name), None) for name in LEVELS}
    chosen, fitted.validation = one_se_rule(BINARY, found, side.targets, side.groups)
    return chosen


def unseen_answers(data: MatchFitData, fitted: MatchFitted, name: str) -> Array:
    """Probabilities (n,) of a level for the validation pairs, stacked without each of them."""
    side, level = data.validation, fitted.levels[name]
    signals = level.from_memory(side.clues, data.row_texts)[0]
    if name != "vote":
        signals |= level.from_model(
            side.asked, side.clues.neighbours, level.evidence(data.row_texts)
        )
    used = level.stacks["vote" if name == "vote" else "both"].names
    return out_of_fold(signals, used, side, data.settings.seed)
