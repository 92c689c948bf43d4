"""Calibration: does confidence equal accuracy, and how many answers can be given?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.scores import OfSamples

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
    borders = until[_cuts(until[1:][None], bins)[0]]
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
) -> OfSamples:
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

    def error(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, owners, axis=1)
        # Copies up to each distinct confidence.
        until = np.take(np.cumsum(drawn, axis=1), ends, axis=1)
        gaps = np.take(np.cumsum(drawn * excess, axis=1), ends, axis=1)
        gaps = np.take_along_axis(_after_zero(gaps), _cuts(until, bins), axis=1)
        distances: NDArray[np.float64] = np.abs(np.diff(gaps, axis=1)).sum(axis=1)
        return distances / until[:, -1]

    return OfSamples(error, len(owners))


def coverage_at_risk(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], risk: float = 0.05
) -> OfSamples:
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

    def coverage(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, order, axis=1)
        taken = np.take(np.cumsum(drawn, axis=1), ends, axis=1)
        allowed = np.take(np.cumsum(drawn * wrong, axis=1), ends, axis=1) <= risk * taken + ROUNDING
        most: NDArray[np.float64] = (taken * allowed).max(axis=1)
        return most / taken[:, -1]

    return OfSamples(coverage)


def ends_of_ties(ordered: NDArray[np.float64]) -> NDArray[np.int64]:
    """The last position of each run of equal values."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def middles(until: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number of answers up to the middle of each tie, (r, t).

    Args:
        until: the number of answers up to and including each tie, (r, t).
    """
    return until - np.diff(_after_zero(until), axis=1) / 2


def _cuts(until: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """The number of ties below each border of the bins, (r, bins + 1).

    Args:
        until: as for :func:`middles`.
        bins: the number of bins; a tie belongs to the bin of its middle answer.
    """
    borders = np.arange(1, bins) * until[:, -1:] / bins
    cuts = [np.searchsorted(*of_one) for of_one in zip(middles(until), borders, strict=True)]
    return np.pad(cuts, ((0, 0), (1, 1)), constant_values=((0, 0), (0, until.shape[1])))


def _after_zero(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.pad(numbers, ((0, 0), (1, 0)))
