"""What a search for settings needs of a task: the ground of all trials, and one trial's score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ravl.errors import DataError
from ravl.evaluation import PRIMARY
from ravl.tuning.space import Report

TUNED = ("classify", "tag", "match", "caption", "ask")


@dataclass(frozen=True)
class Tuned:
    """What a search needs of a task.

    Args:
        measure: the metric that trials are compared by; more is better.
        ground: ``(memory, settings, work, data=, validation=, test=, columns=, root=, progress=)``
            opens what all trials share: examples and evidence, without the test part.
        score: ``(ground, settings, folder, report)`` fits once and gives the metrics on the
            validation part, ``measure`` and ``log_loss`` among them. ``report`` is to be told the
            validation score after each epoch of what takes long; what it raises ends the trial.
    """

    measure: str
    ground: Callable[..., AbstractContextManager[Any]]
    score: Callable[[Any, Any, Path, Report], dict[str, float]]


def task_of(task: str, settings: Any = None) -> Tuned:
    """The adapter of a task; raises DataError for one that cannot be tuned.

    Args:
        task: by its name.
        settings: those that are not searched: ask with open answers is fitted as captions are.
    """
    if task not in TUNED:
        raise DataError(f"{task!r} cannot be tuned; what can be: {', '.join(TUNED)}.")
    if task == "caption":
        return Tuned("CIDEr-D", _caption_ground, _caption_score)
    if getattr(settings, "answers", "list") == "open":
        return Tuned("accuracy", _open_ground, _open_score)
    if task == "match":
        return Tuned(PRIMARY[task], _match_ground, _match_score)
    measure = "accuracy" if task == "ask" else PRIMARY[task]
    return Tuned(measure, partial(_label_ground, task), _label_score)


@contextmanager
def _label_ground(task: str, *given: Any, **sources: Any) -> Iterator[Any]:
    """The ground of a fit without its test part, so that no trial can look at it."""
    from ravl.tasks.labels.fit import ground_of

    with ground_of(task, *given, **sources) as (ground, _):
        yield replace(ground, test=ground.test.take(np.zeros(0, np.int64)))


def _label_score(ground: Any, settings: Any, folder: Path, report: Report) -> dict[str, float]:
    """Fit the levels with these settings, and score the one that would be kept."""
    from ravl.evaluation import values
    from ravl.models.linear import Loss, label_weights
    from ravl.tasks.labels.choose import fit_levels, validation_answers

    task = ground.task
    weights = label_weights(ground.train.targets, task.exclusive, settings.class_weights)
    loss = Loss(task.exclusive, weights, settings.smoothing)
    ground = replace(ground, settings=settings, loss=loss)
    ground, fitted = fit_levels(ground, folder, False, report)
    best = fitted.levels[fitted.chosen]
    answers = validation_answers(ground, best, fitted.chosen == "vote")
    found = answers.probabilities[:, : len(ground.labels)]
    limits = None if task.exclusive else best.limits(ground.labels)
    return values(task.judged, found, ground.truth(ground.validation), thresholds=limits)


@contextmanager
def _match_ground(*given: Any, **sources: Any) -> Iterator[Any]:
    """The same for match."""
    from ravl.tasks.match.fit import ground_of

    with ground_of(*given, **sources) as (ground, _):
        yield replace(ground, test=ground.validation)


def _match_score(ground: Any, settings: Any, folder: Path, report: Report) -> dict[str, float]:
    """Fit the levels with these settings, and score the one that would be kept."""
    from ravl.evaluation import values
    from ravl.tasks.match.fit import fit_levels, unseen_answers

    ground = replace(ground, settings=settings)
    fitted = fit_levels(ground, folder, False, report)
    return values("match", unseen_answers(ground, fitted, fitted.chosen), ground.validation.targets)


@contextmanager
def _caption_ground(*given: Any, **sources: Any) -> Iterator[Any]:
    """The same for caption, or another task that writes."""
    from ravl.tasks.caption.fit import ground_of

    with ground_of(*given, **sources) as (ground, _):
        yield replace(ground, test=ground.validation)


def _caption_score(ground: Any, settings: Any, folder: Path, report: Report) -> dict[str, float]:
    """Fit the levels with these settings, and score the one that would be kept."""
    from ravl.tasks.caption.kind import CAPTION

    rated, _, surprise = _written(CAPTION, ground, settings, folder, report)
    return {"CIDEr-D": float(rated.mean()), "log_loss": surprise}


def _open_ground(memory: Any, settings: Any, *given: Any, **sources: Any) -> Any:
    """The same for ask with open answers."""
    from ravl.tasks.ask.fit_open import OPEN

    return _caption_ground(memory, settings, *given, **sources, kind=OPEN)


def _open_score(ground: Any, settings: Any, folder: Path, report: Report) -> dict[str, float]:
    """The same; how many answers are right."""
    from ravl.tasks.ask.fit_open import OPEN

    rated, least, surprise = _written(OPEN, ground, settings, folder, report)
    return {"accuracy": float((rated >= least).mean()), "log_loss": surprise}


def _written(
    kind: Any, ground: Any, settings: Any, folder: Path, report: Report
) -> tuple[Any, float, float]:
    """Quality of the texts that would be kept (n,), that of a good one, and their surprise."""
    from ravl.tasks.caption.fit import fit_levels

    ground = replace(ground, settings=settings)
    quality = kind.quality(ground.train.texts)
    good = kind.good(quality, ground.validation.texts)
    fitted = fit_levels(ground, folder, False, quality=quality, good=good, report=report, kind=kind)
    kept = fitted.finished[fitted.chosen]
    return kept.rated, good.least, kept.surprise
