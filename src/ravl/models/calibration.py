"""Selective classification: when to abstain so that errors stay below a chosen risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array, Numbers
from ravl.errors import DataError

SURE = 0.9  # probability that the bound holds
KEPT = 4000  # calibration examples stored in a run


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
    def of(cls, confidence: Numbers, right: Numbers) -> RiskCalibrator:
        """From examples in any order; of very many examples an even sample is stored."""
        order = np.argsort(-confidence, kind="stable")
        if len(order) > KEPT:
            order = order[np.linspace(0, len(order) - 1, KEPT).round().astype(int)]
        return cls(confidence[order].astype(np.float32), right[order].astype(np.float32))

    def threshold(self, risk: float) -> float:
        """The smallest confidence above which at most ``risk`` of the answers are wrong.

        Selection with guaranteed risk (Geifman & El-Yaniv 2017): with probability 0.9 over the
        calibration examples the true error rate of the given answers is below the risk. The bound
        is Clopper and Pearson's (1934), corrected for the number of thresholds.

        Args:
            risk: share of wrong answers among those given, between 0 and 1.

        Returns:
            1.01, so that all answers abstain, if there are not enough examples for the risk.

        Raises:
            DataError: the risk is not between 0 and 1.
        """
        if not 0 < risk < 1:
            raise DataError(f"The risk is {risk:g}; it must lie between 0 and 1, such as 0.05.")
        sizes = np.unique(np.geomspace(1, max(len(self.right), 1), 16).astype(int))
        sizes = sizes[sizes <= len(self.right)]
        wrong = np.cumsum(1 - self.right)
        kept = 1.01
        # Answers with equal confidence are accepted together.
        ends = np.searchsorted(-self.confidence, -self.confidence[sizes - 1], side="right")
        for size in ends.tolist():
            bound = upper_bound(round(float(wrong[size - 1])), size, (1 - SURE) / len(sizes))
            if bound <= risk:
                kept = float(self.confidence[size - 1])
        return kept


def upper_bound(wrong: int, count: int, doubt: float) -> float:
    """The upper bound of the error rate for this number of errors (Clopper & Pearson 1934).

    Args:
        wrong: number of wrong answers among ``count``.
        count: at least 1.
        doubt: probability that the true rate is larger.
    """
    from scipy.stats import beta

    return 1.0 if wrong >= count else float(beta.ppf(1 - doubt, wrong + 1, count - wrong))
