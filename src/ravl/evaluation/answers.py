"""The metrics of outputs that are probabilities, each with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.calibration import calibration_error, coverage_at_risk
from ravl.evaluation.metrics import Metric, builtin_metrics, defined, mean_of, metrics_of
from ravl.evaluation.outputs import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    UNKNOWN,
    OutputKind,
    Outputs,
    Probabilities,
    Targets,
    Thresholds,
    checked,
)
from ravl.evaluation.ranking import (
    area_under_curve,
    average_precision,
    mean_of_ratios,
    ratio,
)
from ravl.evaluation.scores import (
    Groups,
    OfSamples,
    OfWeights,
    Score,
    bootstrap_of,
    difference_of,
)

# The metric by which a model is chosen; higher is better.
PRIMARY: dict[str, str] = {MULTICLASS: "accuracy", MULTILABEL: "mAP", BINARY: "AUC"}

LEAST = 1e-6  # lower limit of a probability in log_loss: an impossible true answer costs 13.8


def measure(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    *,
    thresholds: Thresholds | None = None,
    groups: Groups | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """The metrics of outputs of one kind, with their 95 % bootstrap intervals.

    - multiclass: ``accuracy``; ``macro_f1``, over the labels that occur as target or answer;
      ``log_loss``; ``ECE``; ``coverage@5%risk``, the largest share of most confident answers of
      which at most 5 % are wrong. Labels that the model does not know count as one more label that
      is always wrong.
    - multilabel: ``mAP`` and ``macro_f1``, over the tags with at least one positive; ``micro_f1``;
      ``log_loss``, the mean over tags and examples; ``ECE``. Without positives there is neither mAP
      nor F1.
    - binary: ``AUC``, ``average_precision``, ``accuracy``, ``log_loss``, ``ECE``. The first two are
      left out if all targets are equal.

    Metrics that installed packages add for this kind come last, see ``docs/how-to/plugins.md``.

    ECE is computed for the given answers, so it depends on the thresholds; see
    :func:`ravl.evaluation.calibration.calibration_error` and
    :func:`ravl.evaluation.calibration.coverage_at_risk` for the papers. In log_loss, in nats,
    probabilities below 1e-6 count as 1e-6.

    With few examples, mAP, ECE and coverage are biased upwards and macro_f1 downwards. Their
    intervals are corrected, so the value can lie at an end of its interval; they still miss the
    true value more often than 5 times in 100. Differences are hardly affected.

    Args:
        kind: "multiclass" (one label), "multilabel" (tags) or "binary" (yes or no).
        probabilities: multiclass: (n, C), rows sum to 1; multilabel: (n, T); binary: (n,).
        targets: multiclass: (n,) positions of the true labels, -1 for one that the model does not
            know; multilabel: (n, T) 0 and 1; binary: (n,) 0 and 1.
        thresholds: multilabel: (T,) or one for all; binary: a number. A tag or a yes is given if
            its probability is at least the threshold; 0.5 if None. Not for multiclass.
        groups: the group of each example, (n,), for example its picture.
        seed: of the bootstrap.

    Raises:
        DataError: no examples, shapes that do not fit, probabilities or targets that are not valid.
    """
    outputs = checked(kind, probabilities, targets, thresholds)
    count = len(outputs.targets)
    return {
        name: bootstrap_of(of, count, groups, seed=seed, within=metric.bounds)
        for name, (metric, of) in defined(metrics_of(kind), outputs).items()
    }


def compare(
    kind: OutputKind,
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
    metrics: dict[str, Metric[Outputs]] = metrics_of(kind)
    new = defined(metrics, checked(kind, after, targets, thresholds_after))
    old = defined(metrics, checked(kind, before, targets, thresholds_before))
    return {
        name: difference_of(new[name][1], old[name][1], len(targets), groups, seed=seed)
        for name in new
        if name in old
    }


def values(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    *,
    thresholds: Thresholds | None = None,
) -> dict[str, float]:
    """ravl's own metrics of :func:`measure` without their intervals, in a few milliseconds.

    Fits choose by these; the metrics of packages are reported and choose nothing.

    Raises:
        DataError: as there.
    """
    outputs = checked(kind, probabilities, targets, thresholds)
    once = np.ones(len(outputs.targets))
    return {name: of(once) for name, (_, of) in defined(builtin_metrics(kind), outputs).items()}


def _accuracy(outputs: Outputs) -> OfWeights:
    return mean_of(outputs.confidences[1].astype(np.float64))


def _log_loss(outputs: Outputs) -> OfWeights:
    losses = -np.log(np.maximum(outputs.of_truth, LEAST)).reshape(len(outputs.targets), -1)
    return mean_of(losses.mean(axis=1))


def _calibration_error(outputs: Outputs) -> OfWeights:
    confidence, right = outputs.confidences
    owners = np.arange(len(right)) // (len(right) // len(outputs.targets))
    return calibration_error(confidence, right, owners)


def _coverage(outputs: Outputs) -> OfWeights:
    return coverage_at_risk(*outputs.confidences)


def _average_precision_of_tags(outputs: Outputs) -> OfWeights | None:
    if not outputs.targets.any():
        return None
    return average_precision(outputs.probabilities, outputs.targets)


def _micro_f1(outputs: Outputs) -> OfWeights | None:
    if not outputs.targets.any():
        return None
    true, hits, either = _counts(outputs)

    def micro(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found = ratio(2 * (weights @ hits).sum(axis=1), (weights @ either).sum(axis=1))
        return np.where((weights @ true).any(axis=1), found, np.nan)

    return OfSamples(micro)


def _macro_f1(outputs: Outputs) -> OfWeights | None:
    if not outputs.targets.any():
        return None
    true, hits, either = _counts(outputs)

    def macro(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = weights @ true > 0
        return mean_of_ratios(2 * (weights @ hits) * kept, (weights @ either) * kept)

    return OfSamples(macro)


def _counts(outputs: Outputs) -> tuple[NDArray[np.float64], ...]:
    """What is true, what of it is given, and how much is either, each (n, T)."""
    true, given = outputs.targets.astype(np.float64), outputs.answers.astype(np.float64)
    return true, true * given, true + given


def _area(outputs: Outputs) -> OfWeights | None:
    if outputs.targets.min() == outputs.targets.max():
        return None
    return area_under_curve(outputs.probabilities, outputs.targets)


def _average_precision(outputs: Outputs) -> OfWeights | None:
    if outputs.targets.min() == outputs.targets.max():
        return None
    return average_precision(outputs.probabilities[:, None], outputs.targets[:, None])


def _f1_of_labels(outputs: Outputs) -> OfWeights:
    unknown = outputs.probabilities.shape[1]  # the label after the last; it is never answered
    true = np.where(outputs.targets == UNKNOWN, unknown, outputs.targets)
    # Each example twice: once for its label, once for its answer.
    both = np.concatenate([true, outputs.answers])
    owners, right = np.tile(np.arange(len(true)), 2), np.tile(true == outputs.answers, 2)
    order = np.argsort(both, kind="stable")
    starts = np.flatnonzero(np.diff(both[order], prepend=-1))  # of the labels that occur
    owners, right = owners[order], right[order]

    def macro(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, owners, axis=1)
        hits = np.add.reduceat(drawn * right, starts, axis=1)
        return mean_of_ratios(hits, np.add.reduceat(drawn, starts, axis=1))

    return OfSamples(macro, len(both))


ACCURACY = Metric(_accuracy)
LOG_LOSS = Metric(_log_loss, higher_is_better=False, percent=False, bounds=(0.0, np.inf))
ECE = Metric(_calibration_error, higher_is_better=False)
COVERAGE = Metric(_coverage)
MACRO_F1_OF_LABELS = Metric(_f1_of_labels)
MEAN_AVERAGE_PRECISION = Metric(_average_precision_of_tags)
MICRO_F1 = Metric(_micro_f1)
MACRO_F1 = Metric(_macro_f1)
AUC = Metric(_area)
AVERAGE_PRECISION = Metric(_average_precision)
