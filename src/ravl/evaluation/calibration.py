"""Whether a model is right as often as it says, and how many answers it can be trusted with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.scores import OfWeights

BINS = 15  # as Guo et al.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence.

    Args:
        confidence: their mean confidence, 0..1.
        accuracy: the share of them that is right.
        count: how many they are, at least 1.
    """

    confidence: float
    accuracy: float
    count: int


def calibration_curve(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10
) -> list[Bin]:
    """Confidence and accuracy of bins that hold equally many answers, least confident first.

    Equal confidences are never parted, so bins may differ in size and there may be fewer of them;
    the order of the answers makes no difference.

    Args:
        confidence: (n,) in 0..1, from :func:`ravl.evaluation.confidences`.
        right: (n,) True where the answer is right.
        bins: how many, at most.

    Raises:
        DataError: no answers, lengths that do not fit, no bins, or confidences that are none.
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
    """The expected calibration error, ECE: how far confidence and accuracy are apart.

    The mean over all answers of the distance in their bin (Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017), in bins of equally many answers instead of equal width, which
    leave no bin to a few (Nixon et al., "Measuring Calibration in Deep Learning", 2019). The bins
    are those of :func:`calibration_curve`.

    Args:
        confidence: (m,) in 0..1.
        right: (m,).
        owners: (m,) number of the example that each answer is about.
        bins: how many.
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
    """The largest share of most confident answers of which at most ``risk`` are wrong.

    Selective prediction (Geifman & El-Yaniv, "Selective Classification for Deep Neural Networks",
    NeurIPS 2017), with the threshold chosen on these very answers: no guarantee for new ones.
    Equally confident answers are taken together, as no threshold parts them. 0 if none can be
    taken.

    Args:
        confidence: (n,).
        right: (n,).
        risk: the share of wrong ones among those taken.
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
    """The position of the last of each run of equal values."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def _cuts(until: NDArray[np.number], bins: int) -> NDArray[np.int64]:
    """How many ties lie below each border of the bins, (bins + 1,).

    Args:
        until: answers up to and with each tie.
        bins: how many; a tie belongs to the one that its middle answer would be in.
    """
    middle = until - np.diff(until, prepend=0) / 2
    borders = np.arange(1, bins) * until[-1] / bins
    return np.concatenate([[0], np.searchsorted(middle, borders), [len(until)]])
