"""Confidence that can be believed: when to abstain so that errors stay below a chosen risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import DataError

SURE = 0.9  # probability that the risk is kept
KEPT = 4000  # calibration examples that a run keeps


@dataclass(frozen=True, eq=False)
class RiskCalibrator:
    """Confidences of answers to held-out examples, and whether the answers were right.

    Args:
        confidence: (n,), descending.
        right: (n,) 0 or 1.
    """

    confidence: Array
    right: Array

    @classmethod
    def of(cls, confidence: NDArray[Any], right: NDArray[Any]) -> RiskCalibrator:
        """From examples in any order; of very many an even sample is kept."""
        order = np.argsort(-confidence, kind="stable")
        if len(order) > KEPT:
            order = order[np.linspace(0, len(order) - 1, KEPT).round().astype(int)]
        return cls(confidence[order].astype(np.float32), right[order].astype(np.float32))

    def threshold(self, risk: float) -> float:
        """The least confidence at which answers are wrong in at most ``risk`` of all cases.

        Selection with guaranteed risk (Geifman & El-Yaniv 2017): with probability 0.9 over the
        calibration examples the true error rate of what is answered is below the risk. The bound
        is Clopper and Pearson's (1934), shared among the thresholds that are tried.

        Args:
            risk: share of wrong answers among those given, between 0 and 1.

        Returns:
            1.01, so that nothing is answered, where the examples cannot promise it.

        Raises:
            DataError: the risk is not between 0 and 1.
        """
        if not 0 < risk < 1:
            raise DataError(f"The risk is {risk:g}; it must lie between 0 and 1, such as 0.05.")
        sizes = np.unique(np.geomspace(1, max(len(self.right), 1), 16).astype(int))
        sizes = sizes[sizes <= len(self.right)]
        wrong = np.cumsum(1 - self.right)
        kept = 1.01
        # Those that are as sure as the last one are answered with it, whatever their order.
        ends = np.searchsorted(-self.confidence, -self.confidence[sizes - 1], side="right")
        for size in ends.tolist():
            bound = upper_bound(round(float(wrong[size - 1])), size, (1 - SURE) / len(sizes))
            if bound <= risk:
                kept = float(self.confidence[size - 1])
        return kept


def upper_bound(wrong: int, count: int, doubt: float) -> float:
    """The largest error rate that is compatible with so few wrong ones (Clopper & Pearson 1934).

    Args:
        wrong: of ``count`` examples.
        count: at least 1.
        doubt: probability that the true rate is larger all the same.
    """
    from scipy.stats import beta

    return 1.0 if wrong >= count else float(beta.ppf(1 - doubt, wrong + 1, count - wrong))
