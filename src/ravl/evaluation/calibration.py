"""Calibration: does confidence equal accuracy, and how many answers can be given?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.scores import OfWeights

BINS = 15  # as in Guo et al.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of answers with similar confidence.

    Args:
        confidence: the mean confidence, 0..1.
        accuracy: the share of right answers.
        count: the number of answers, at least 1.
    """

    confidence: float
    accuracy: float
    count: int


def calibration_curve(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10
) -> list[Bin]:
    """Confidence and accuracy of bins with equal numbers of answers, least confident first.

    Answers with equal confidence stay in one bin, so bins can differ in size and there can be fewer
    of them; the order of the answers does not matter.

    Args:
        confidence: (n,) in 0..1, from :func:`ravl.evaluation.confidences`.
        right: (n,) True if the answer is right.
        bins: the maximal number of bins.

    Raises:
        DataError: no answers, lengths that do not fit, no bins, or confidences outside 0 to 1.
    """
    sure, correct = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if sure.ndim != 1 or sure.shape != correct.shape or not len(sure):
        raise DataError(
            f"A calibration curve needs as many confidences {sure.shape} as answers "
            f"{correct.shape}, at least one."
        )
    if not ((sure >= 0) & (sure <= 1)).all():
        raise DataError("A confidence does not lie between 0 and 1.")
    if bins < 1:
        raise DataError(f"A calibration curve has at least 1 bin, not {bins}.")
    order = np.argsort(sure, kind="stable")
    sure, correct = sure[order], correct[order]
    until = np.append(0, ends_of_ties(sure) + 1)
    borders = until[_cuts(until[1:], bins)]
    return [
        Bin(float(sure[a:b].mean()), float(correct[a:b].mean()), int(b - a))
        for a, b in pairwise(borders)
        if a < b
    ]


def calibration_error(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    owners: NDArray[np.int64],
    bins: int = BINS,
) -> OfWeights:
    """The expected calibration error, ECE: the mean distance of confidence and accuracy.

    The mean over all answers of the distance in their bin (Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017), in bins with equal numbers of answers instead of equal width, so
    that no bin has only a few answers (Nixon et al., "Measuring Calibration in Deep Learning",
    2019). The bins are those of :func:`calibration_curve`.

    Args:
        confidence: (m,) in 0..1.
        right: (m,).
        owners: (m,) number of the example of each answer.
        bins: the number of bins.
    """
    order = np.argsort(confidence, kind="stable")
    ends = ends_of_ties(confidence[order])
    excess, owners = (right - confidence)[order], owners[order]

    def error(weights: NDArray[np.float64]) -> float:
        drawn = weights[owners]
        until = np.cumsum(drawn)[ends]  # copies up to each distinct confidence
        gaps = np.append(0, np.cumsum(drawn * excess)[ends])
        return float(np.abs(np.diff(gaps[_cuts(until, bins)])).sum() / until[-1])

    return error


def coverage_at_risk(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], risk: float = 0.05
) -> OfWeights:
    """The largest share of the most confident answers with an error rate of at most ``risk``.

    Selective prediction (Geifman & El-Yaniv, "Selective Classification for Deep Neural Networks",
    NeurIPS 2017), with the threshold chosen on the same answers: no guarantee for new answers.
    Answers with equal confidence are accepted together, because no threshold separates them. 0 if
    no answer can be accepted.

    Args:
        confidence: (n,).
        right: (n,).
        risk: the share of wrong answers among the accepted ones.
    """
    order = np.argsort(-confidence, kind="stable")
    ends = ends_of_ties(confidence[order])
    wrong = ~right[order]

    def coverage(weights: NDArray[np.float64]) -> float:
        drawn = weights[order]
        taken = np.cumsum(drawn)[ends]
        allowed = np.cumsum(drawn * wrong)[ends] <= risk * taken + ROUNDING
        return float((taken * allowed).max() / taken[-1])

    return coverage


def ends_of_ties(ordered: NDArray[np.float64]) -> NDArray[np.int64]:
    """The last position of each run of equal values."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def _cuts(until: NDArray[np.number], bins: int) -> NDArray[np.int64]:
    """The number of ties below each border of the bins, (bins + 1,).

    Args:
        until: the number of answers up to and including each tie.
        bins: the number of bins; a tie belongs to the bin of its middle answer.
    """
    middle = until - np.diff(until, prepend=0) / 2
    borders = np.arange(1, bins) * until[-1] / bins
    return np.concatenate([[0], np.searchsorted(middle, borders), [len(until)]])
