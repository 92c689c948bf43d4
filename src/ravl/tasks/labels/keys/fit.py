"""Training the retriever with its task: all levels once more with learned keys, kept if better.

What the frozen keys made stays for comparison, and is what the run keeps where the learned ones
gain nothing on validation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ravl.evaluation import PRIMARY, values
from ravl.tasks.labels.choose import Fitted, LevelFitter, validation_answers
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.keys.data import learned_data
from ravl.tasks.labels.predictor import LabelPredictor

TIES = 0.1  # of the log loss, which tells those apart that are right equally often


@dataclass(frozen=True, eq=False)
class Variant:
    """A fit with frozen or with learned keys.

    Args:
        data: that it stands on.
        levels: predictors by name.
        chosen: the level that answers.
        score: on the validation split: its primary metric less a tenth of the log loss.
    """

    data: FitData
    levels: dict[str, LabelPredictor]
    chosen: str
    score: float


@dataclass(frozen=True, eq=False)
class Joint:
    """What training the retriever with its task came to.

    Args:
        frozen: the fit with frozen keys.
        learned: the fit with learned ones; None where no epoch was better than frozen keys.
        adopted: the run keeps the learned ones.
        distilled: the reader's preferences were part of what the keys learned.
        epochs: until the best.
        curve: seconds and held-out surprise, before the first epoch and after each.
        seconds: by part: ``preferences`` of the reader, ``keys`` with their folds, ``levels``.
        parameters: that were learned.
    """

    frozen: Variant
    learned: Variant | None = None
    adopted: bool = False
    distilled: bool = False
    epochs: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    parameters: int = 0


def fit_jointly(
    plain: FitData, data: FitData, fitted: Fitted, ladder: LevelFitter
) -> tuple[FitData, Fitted]:
    """Learn keys, fit all levels with them, and keep what is better on the validation split.

    Args:
        plain: the data with frozen keys, where training starts.
        data: the data that the levels were fitted on, with frozen or whitened keys.
        fitted: on it.
        ladder: that it was fitted by.

    Returns:
        The data and what was fitted on it, of the better ones.
    """
    frozen = variant(data, fitted)
    preferred, seconds, began = None, {}, time.monotonic()
    if "fusion" in fitted.levels:
        from ravl.tasks.labels.keys.reader import reader_preferences

        preferred = reader_preferences(data, fitted.levels["fusion"], ladder.unseen(data))
        seconds["preferences"] = round(time.monotonic() - began, 1)
    found = learned_data(plain, preferred)
    if found is None:
        fitted.joint = Joint(frozen, distilled=preferred is not None, seconds=seconds)
        return data, fitted
    seconds["keys"], began = found.seconds, time.monotonic()
    again = Fitted(tower=fitted.tower, self_training=fitted.self_training)
    ladder.fit_all(found.data, again)
    seconds["levels"] = round(time.monotonic() - began, 1)
    learned = variant(found.data, again)
    matrix = found.learned.keys.directions.shape[1] ** 2
    joint = Joint(
        frozen,
        learned,
        learned.score > frozen.score,
        preferred is not None,
        found.learned.epochs,
        found.learned.curve,
        seconds,
        matrix,
    )
    fitted.joint = again.joint = joint
    if not joint.adopted:
        return data, fitted
    for name in ("curves", "seconds", "parameters"):  # those of what was fitted only once stay
        setattr(again, name, getattr(fitted, name) | getattr(again, name))
    again.seconds["keys"], again.parameters["keys"] = found.seconds, matrix
    return found.data, again


def variant(data: FitData, fitted: Fitted) -> Variant:
    """A fit with its score on the validation split."""
    best, task = fitted.levels[fitted.chosen], data.task
    answers = validation_answers(data, best, fitted.chosen == "vote")
    names = answers.names if task.exclusive else data.labels
    truth = task.truth(data.validation.examples.rows, names)
    limits = None if task.exclusive else best.limits(names)
    found = values(
        task.output_kind, wide(answers.probabilities, len(names)), truth, thresholds=limits
    )
    score = found.get(PRIMARY[task.output_kind], 0.0) - TIES * found["log_loss"]
    return Variant(data, fitted.levels, fitted.chosen, float(score))
