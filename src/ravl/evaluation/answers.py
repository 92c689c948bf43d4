"""The metrics of classifying, tagging and matching, each with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.calibration import calibration_error, coverage_at_risk
from ravl.evaluation.outputs import (
    UNKNOWN,
    Outputs,
    Probabilities,
    Targets,
    Task,
    Thresholds,
    checked,
)
from ravl.evaluation.ranking import area_under_curve, average_precision
from ravl.evaluation.scores import (
    Groups,
    OfWeights,
    Score,
    Weights,
    bootstrap_of,
    difference_of,
)

# The metric by which a model of the task is chosen; higher is better.
PRIMARY: dict[str, str] = {"classify": "accuracy", "tag": "mAP", "match": "AUC"}

LEAST = 1e-6  # lower limit of a probability in log_loss: an impossible true answer costs 13.8


def measure(
    task: Task,
    probabilities: Probabilities,
    targets: Targets,
    *,
    thresholds: Thresholds | None = None,
    groups: Groups | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """The metrics of a task, with their 95 % bootstrap intervals.

    - classify: ``accuracy``; ``macro_f1``, over the labels that occur as target or answer;
      ``log_loss``; ``ECE``; ``coverage@5%risk``, the largest share of most confident answers of
      which at most 5 % are wrong. Labels that the model does not know count as one more label that
      is always wrong.
    - tag: ``mAP`` and ``macro_f1``, over the tags with at least one positive; ``micro_f1``;
      ``log_loss``, the mean over tags and examples; ``ECE``. Without positives there is neither mAP
      nor F1.
    - match: ``AUC``, ``average_precision``, ``accuracy``, ``log_loss``, ``ECE``. The first two are
      left out if all targets are equal.

    ECE is computed for the given answers, so it depends on the thresholds; see
    :func:`ravl.evaluation.calibration.calibration_error` and
    :func:`ravl.evaluation.calibration.coverage_at_risk` for the papers. In log_loss, in nats,
    probabilities below 1e-6 count as 1e-6.

    With few examples, mAP, ECE and coverage are biased upwards and macro_f1 downwards. Their
    intervals are corrected, so the value can lie at an end of its interval; they still miss the
    true value more often than 5 times in 100. Differences are hardly affected.

    Args:
        task: "classify", "tag" or "match".
        probabilities: classify: (n, C), rows sum to 1; tag: (n, T); match: (n,).
        targets: classify: (n,) positions of the true labels, -1 for one that the model does not
            know; tag: (n, T) 0 and 1; match: (n,) 0 and 1.
        thresholds: tag: (T,) or one for all; match: a number. A tag or a match is given if its
            probability is at least the threshold; 0.5 if None. Not for labels.
        groups: the group of each example, (n,), for example its picture.
        seed: of the bootstrap.

    Raises:
        DataError: no examples, shapes that do not fit, probabilities or targets that are not valid.
    """
    outputs = checked(task, probabilities, targets, thresholds)
    count = len(outputs.targets)
    return {
        name: bootstrap_of(metric, count, groups, seed=seed, within=_range(name))
        for name, metric in _metrics(outputs).items()
    }


def compare(
    task: Task,
    after: Probabilities,
    before: Probabilities,
    targets: Targets,
    *,
    thresholds_after: Thresholds | None = None,
    thresholds_before: Thresholds | None = None,
    groups: Groups | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """After minus before of each metric in :func:`measure`, for the same examples, paired.

    Raises:
        DataError: as there, and if the two have different shapes.
    """
    if np.shape(after) != np.shape(before):
        raise DataError(
            f"A paired difference needs the same examples and labels twice, but there are "
            f"probabilities {np.shape(after)} after and {np.shape(before)} before."
        )
    new = _metrics(checked(task, after, targets, thresholds_after))
    old = _metrics(checked(task, before, targets, thresholds_before))
    return {
        name: difference_of(new[name], old[name], len(targets), groups, seed=seed) for name in new
    }


def values(
    task: Task,
    probabilities: Probabilities,
    targets: Targets,
    *,
    thresholds: Thresholds | None = None,
) -> dict[str, float]:
    """The metrics of :func:`measure` without their intervals, in a few milliseconds.

    Raises:
        DataError: as there.
    """
    outputs = checked(task, probabilities, targets, thresholds)
    once = np.ones(len(outputs.targets))
    return {name: metric(once) for name, metric in _metrics(outputs).items()}


def _range(name: str) -> tuple[float, float]:
    return (0.0, np.inf if name == "log_loss" else 1.0)


def _metrics(outputs: Outputs) -> dict[str, OfWeights]:
    """Each metric as a function of the weight of each example."""
    losses = -np.log(np.maximum(outputs.of_truth, LEAST)).reshape(len(outputs.targets), -1)
    confidence, right = outputs.confidences
    owners = np.arange(len(right)) // losses.shape[1]
    loss, error = _mean(losses.mean(axis=1)), calibration_error(confidence, right, owners)
    if outputs.task == "tag":
        return {**_tagging(outputs), "log_loss": loss, "ECE": error}
    accuracy = _mean(right.astype(np.float64))
    if outputs.task == "match":
        return {**_matching(outputs), "accuracy": accuracy, "log_loss": loss, "ECE": error}
    return {
        "accuracy": accuracy,
        "macro_f1": _f1_of_labels(outputs),
        "log_loss": loss,
        "ECE": error,
        "coverage@5%risk": coverage_at_risk(confidence, right),
    }


def _tagging(outputs: Outputs) -> dict[str, OfWeights]:
    if not outputs.targets.any():
        return {}
    true = outputs.targets.astype(np.float64)
    given = outputs.answers.astype(np.float64)
    hits, either = true * given, true + given  # (n, T)

    def micro(weights: Weights) -> float:
        every = (weights @ either).sum()
        return float(2 * (weights @ hits).sum() / every) if (weights @ true).any() else np.nan

    def macro(weights: Weights) -> float:
        kept = weights @ true > 0
        found = 2 * (weights @ hits)[kept] / (weights @ either)[kept]
        return float(found.mean()) if kept.any() else np.nan

    precision = average_precision(outputs.probabilities, outputs.targets)
    return {"mAP": precision, "micro_f1": micro, "macro_f1": macro}


def _matching(outputs: Outputs) -> dict[str, OfWeights]:
    if outputs.targets.min() == outputs.targets.max():
        return {}
    area = area_under_curve(outputs.probabilities, outputs.targets)
    precision = average_precision(outputs.probabilities[:, None], outputs.targets[:, None])
    return {"AUC": area, "average_precision": precision}


def _f1_of_labels(outputs: Outputs) -> OfWeights:
    unknown = outputs.probabilities.shape[1]  # the label after the last; it is never answered
    answers, size = outputs.answers, unknown + 1
    true = np.where(outputs.targets == UNKNOWN, unknown, outputs.targets)
    right = answers == true

    def macro(weights: Weights) -> float:
        hits = np.bincount(true, weights * right, size)
        either = np.bincount(true, weights, size) + np.bincount(answers, weights, size)
        kept = either > 0
        return float((2 * hits[kept] / either[kept]).mean())

    return macro


def _mean(of_examples: NDArray[np.float64]) -> OfWeights:
    return lambda weights: float(weights @ of_examples / weights.sum())
