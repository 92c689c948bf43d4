"""How well probabilities separate positives from negatives, without a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.calibration import ends_of_ties, middles
from ravl.evaluation.scores import OfSamples


def average_precision(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> OfSamples:
    """The mean over tags of the average precision; tags without a positive are left out.

    The average precision is the mean, over a tag's positives, of the precision at each positive;
    equal scores are taken together. It equals scikit-learn's result, without interpolation.

    Args:
        probabilities: (n, T).
        targets: (n, T) 0 and 1.

    Returns:
        Weights (n,) -> mAP; NaN if there is no positive.
    """
    order = np.argsort(-probabilities.T, axis=1, kind="stable")  # (T, n)
    scores = np.take_along_axis(probabilities.T, order, axis=1)
    true = np.take_along_axis(targets.T, order, axis=1)
    last = scores[:, :-1] != scores[:, 1:]
    ends = np.flatnonzero(np.pad(last, ((0, 0), (0, 1)), constant_values=True))
    positives = np.flatnonzero(true)  # in the flattened (T * n,)
    owners, tag = order.ravel()[positives], positives // order.shape[1]
    starts = np.flatnonzero(np.diff(tag, prepend=-1))  # of the positives of each tag
    until = ends[np.searchsorted(ends, positives)]  # the last one that equals each positive

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, order, axis=1)
        above = np.take(np.cumsum(drawn, axis=2).reshape(len(weights), -1), until, axis=1)
        hits = np.take(np.cumsum(drawn * true, axis=2).reshape(len(weights), -1), until, axis=1)
        times = np.take(weights, owners, axis=1)
        precisions = times * hits / np.maximum(above, 1)  # above is 0 only if times is 0
        return mean_of_ratios(
            np.add.reduceat(precisions, starts, axis=1), np.add.reduceat(times, starts, axis=1)
        )

    return OfSamples(mean, order.size)


def area_under_curve(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> OfSamples:
    """The share of pairs in which a positive has a higher score than a negative; ties count half.

    This is the area under the ROC curve, by the rank sum of Mann & Whitney ("On a Test of Whether
    One of Two Random Variables is Stochastically Larger than the Other", 1947).

    Args:
        scores: (n,).
        targets: (n,) 0 and 1.

    Returns:
        Weights (n,) -> AUC; NaN if all targets are equal.
    """
    order = np.argsort(scores, kind="stable")
    ends = ends_of_ties(scores[order])
    true = targets[order]

    def area(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, order, axis=1)
        above = np.take(np.cumsum(drawn * true, axis=1), ends, axis=1)
        positives = np.diff(above, axis=1, prepend=0)
        until = np.take(np.cumsum(drawn * (1 - true), axis=1), ends, axis=1)
        below = (positives * middles(until)).sum(axis=1)
        return ratio(below, positives.sum(axis=1) * until[:, -1])

    return OfSamples(area)


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient of each two; NaN where the whole is 0."""
    found = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def mean_of_ratios(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each row's quotients whose whole is not 0, (r, k) -> (r,); NaN without one."""
    kept = whole > 0
    return ratio((part / np.maximum(whole, 1)).sum(axis=1), kept.sum(axis=1).astype(np.float64))
