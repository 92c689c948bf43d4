"""How well probabilities separate positives from negatives, without a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.calibration import ends_of_ties
from ravl.evaluation.scores import OfWeights


def average_precision(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> OfWeights:
    """The mean over tags of the average precision; tags without a positive are left out.

    The average precision is the mean, over a tag's positives, of the precision at each positive;
    equal scores are taken together. It equals scikit-learn's result, without interpolation.

    Args:
        probabilities: (n, T).
        targets: (n, T) 0 and 1.

    Returns:
        Weights (n,) -> mAP; NaN if there is no positive.
    """
    tags = probabilities.shape[1]
    order = np.argsort(-probabilities.T, axis=1, kind="stable")  # (T, n)
    scores = np.take_along_axis(probabilities.T, order, axis=1)
    true = np.take_along_axis(targets.T, order, axis=1)
    last = scores[:, :-1] != scores[:, 1:]
    ends = np.flatnonzero(np.pad(last, ((0, 0), (0, 1)), constant_values=True))
    positives = np.flatnonzero(true)  # in the flattened (T * n,)
    owners, tag = order.ravel()[positives], positives // order.shape[1]
    until = ends[np.searchsorted(ends, positives)]  # the last one that equals each positive

    def mean(weights: NDArray[np.float64]) -> float:
        drawn = weights[order]
        above = np.cumsum(drawn, axis=1).ravel()[until]
        hits = np.cumsum(drawn * true, axis=1).ravel()[until]
        times = weights[owners]
        precisions = times * hits / np.maximum(above, 1)  # above is 0 only if times is 0
        support = np.bincount(tag, times, tags)
        kept = support > 0
        if not kept.any():
            return float("nan")
        return float((np.bincount(tag, precisions, tags)[kept] / support[kept]).mean())

    return mean


def area_under_curve(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> OfWeights:
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

    def area(weights: NDArray[np.float64]) -> float:
        drawn = weights[order]
        positives = np.diff(np.cumsum(drawn * true)[ends], prepend=0)
        until = np.cumsum(drawn * (1 - true))[ends]
        below = until - np.diff(until, prepend=0) / 2
        pairs = positives.sum() * until[-1]
        return float(positives @ below / pairs) if pairs else float("nan")

    return area
