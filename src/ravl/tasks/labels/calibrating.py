"""What a predictor learns from answers to examples that it did not see: means, and confidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import confidences
from ravl.models.calibration import RiskCalibrator
from ravl.models.class_means import ClassMeans
from ravl.models.held_out import best_thresholds, log_loss, vote_gate
from ravl.retrieval.datastore import Ints
from ravl.tasks.labels.predictor import LabelPredictor, with_means

MEANS_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the class means beside the vote


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


def best_means(
    votes: Array,
    scores: Array,
    targets: Array,
    counts: NDArray[np.floating],
    rows: float,
    exclusive: bool,
) -> tuple[ClassMeans | None, float, Array]:
    """Class means and their weight beside the vote; None and 0 where the vote alone is better.

    Args:
        votes: of the neighbours of examples that were not seen, (n, C).
        scores: of these examples, see :meth:`ravl.models.class_means.KeySums.scores`.
        targets, counts, rows, exclusive: see :meth:`ravl.models.class_means.ClassMeans.fit`.

    Returns:
        The means, their weight, and the votes with them, (n, C).
    """
    means = ClassMeans.fit(scores, targets, counts, rows, exclusive)
    answers = means(scores, counts, rows)

    def loss(weight: float) -> float:
        mixed = with_means(votes, answers, weight)
        smooth = vote_gate(mixed, targets, exclusive).smoothed_votes(mixed)
        return log_loss(smooth, targets, exclusive)

    weight = min(MEANS_WEIGHTS, key=loss)  # of equals the smallest
    return means if weight else None, weight, with_means(votes, answers, weight)
