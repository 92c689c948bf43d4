"""What a predictor learns of its own confidence, from answers to examples that it did not see."""

from __future__ import annotations

from dataclasses import replace

from ravl.encoders.base import Array
from ravl.evaluation import confidences
from ravl.models.calibration import RiskCalibrator
from ravl.models.held_out import best_thresholds
from ravl.retrieval.datastore import Ints
from ravl.tasks.labels.predictor import LabelPredictor


def calibrated(
    predictor: LabelPredictor, found: Array, targets: Array, truth: Ints
) -> LabelPredictor:
    """With tag thresholds and the calibration for abstaining.

    Of tags those that are given count, not the many that are not.

    Args:
        predictor: whose answers they are.
        found: probabilities (n, C) of examples that were not seen.
        targets: (n, C).
        truth: what metrics compare with, see :meth:`LabelTargets.truth`.
    """
    if predictor.task.exclusive:
        confidence, right = confidences(predictor.task.output_kind, found, truth)
        return replace(predictor, calibration=RiskCalibrator.of(confidence, right))
    thresholds = best_thresholds(found, targets)
    given = (found >= thresholds).ravel()
    calibration = RiskCalibrator.of(found.ravel()[given], targets.ravel()[given])
    return replace(predictor, thresholds=thresholds, calibration=calibration)
