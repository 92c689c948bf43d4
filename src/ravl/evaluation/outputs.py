"""Probabilities of a model and the targets of the examples, checked once for all metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError

# One of several labels; any number of labels; yes or no.
OutputKind = Literal["multiclass", "multilabel", "binary"]
MULTICLASS: Final = "multiclass"
MULTILABEL: Final = "multilabel"
BINARY: Final = "binary"
Probabilities = NDArray[np.floating]
Targets = NDArray[np.integer] | NDArray[np.bool_]
Thresholds = NDArray[np.floating] | float

UNKNOWN = -1  # target of an example whose label the model does not know
THRESHOLD = 0.5
# Sums of float32 or float16 probabilities differ from 1 by this much.
BEYOND = 1e-5
SUM = 1e-2


@dataclass(frozen=True, eq=False)
class Outputs:
    """Probabilities and targets with fitting shapes; made by :func:`checked`.

    Args:
        kind: of the outputs.
        probabilities: float64, (n, C) of the labels, (n, T) of the tags, or (n,) of a yes.
        targets: int64, (n,) positions of labels or -1, (n, T) 0 and 1, or (n,) 0 and 1.
        thresholds: float64, (T,) or (); a tag or a match is given from this probability on.
    """

    kind: OutputKind
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    thresholds: NDArray[np.float64]

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The most probable label (n,); for tags (n, T) and matches (n,) 1 if given, else 0."""
        if self.kind == MULTICLASS:
            return np.asarray(self.probabilities.argmax(axis=1), np.int64)
        return (self.probabilities >= self.thresholds).astype(np.int64)

    @cached_property
    def of_truth(self) -> NDArray[np.float64]:
        """The probability of the targets, in their shape; 0 for an unknown label."""
        if self.kind == MULTICLASS:
            found = self.probabilities[np.arange(len(self.targets)), self.targets]
            return np.where(self.targets == UNKNOWN, 0.0, found)
        return np.where(self.targets == 1, self.probabilities, 1 - self.probabilities)

    @cached_property
    def confidences(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The probability of each answer, and True if it is right, (n,), or (n * T,) by example."""
        answers = self.answers
        if self.kind == MULTICLASS:
            confidence = self.probabilities.max(axis=1)
        else:
            confidence = np.where(answers == 1, self.probabilities, 1 - self.probabilities)
        return confidence.ravel(), (answers == self.targets).ravel()


def checked(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    thresholds: Thresholds | None = None,
) -> Outputs:
    """The arguments of every metric, as :class:`Outputs`.

    Raises:
        DataError: an unknown kind, no examples, shapes that do not fit, probabilities that are not
            valid or do not sum to 1 over the labels, targets out of range, or thresholds that do
            not fit.
    """
    if kind not in (MULTICLASS, MULTILABEL, BINARY):
        raise DataError(
            f"There are no outputs of the kind {kind!r}; it must be {MULTICLASS}, {MULTILABEL} or "
            f"{BINARY}."
        )
    numbers = _probabilities(kind, np.asarray(probabilities, np.float64))
    truth = _targets(kind, np.asarray(targets), numbers)
    return Outputs(kind, numbers, truth, _thresholds(kind, thresholds, numbers))


def confidences(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    thresholds: Thresholds | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The confidence of each answer, and True if it is right: the input of calibration metrics.

    The confidence is the probability of the given answer: of the most probable label; of the tag or
    match if it reaches the threshold, otherwise of its absence.

    Args:
        kind: as in :func:`ravl.evaluation.measure`, like the other arguments.

    Returns:
        Confidences in 0..1, and True for right answers, each (n,); for tags each (n * T,), example
        by example.

    Raises:
        DataError: as there.
    """
    return checked(kind, probabilities, targets, thresholds).confidences


def _probabilities(kind: OutputKind, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if numbers.ndim != (1 if kind == BINARY else 2):
        shape = {MULTICLASS: "(n, labels)", MULTILABEL: "(n, tags)", BINARY: "(n,)"}[kind]
        raise DataError(
            f"Probabilities of {kind} outputs have the shape {shape}, not {numbers.shape}."
        )
    if not numbers.size:
        raise DataError(
            f"There is no score without examples: the probabilities are {numbers.shape}."
        )
    if np.isnan(numbers).any():
        raise DataError("A probability is not a number (NaN); the model has diverged.")
    low, high = numbers.min(), numbers.max()
    if low < -BEYOND or high > 1 + BEYOND:
        raise DataError(f"Probabilities lie between 0 and 1, but these reach {low:g} to {high:g}.")
    if kind == MULTICLASS:
        sums = numbers.sum(axis=1)
        worst = float(sums[np.abs(sums - 1).argmax()])
        if abs(worst - 1) > SUM:
            raise DataError(f"The probabilities of the labels sum to 1, not to {worst:g}.")
    return numbers.clip(0, 1)


def _targets(
    kind: OutputKind, targets: NDArray[np.generic], probabilities: NDArray[np.float64]
) -> NDArray[np.int64]:
    expected = probabilities.shape[:1] if kind == MULTICLASS else probabilities.shape
    if targets.shape != expected:
        raise DataError(
            f"Probabilities {probabilities.shape} need targets {expected}, not {targets.shape}."
        )
    if targets.dtype.kind not in "biu":
        raise DataError(f"Targets are whole numbers, not {targets.dtype}.")
    truth = targets.astype(np.int64)
    least, most = (UNKNOWN, probabilities.shape[1] - 1) if kind == MULTICLASS else (0, 1)
    if truth.min() < least or truth.max() > most:
        raise DataError(
            f"Targets of {kind} outputs lie between {least} and {most}, "
            f"but these reach {truth.min()} to {truth.max()}."
        )
    return truth


def _thresholds(
    kind: OutputKind, thresholds: Thresholds | None, probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    if kind == MULTICLASS and thresholds is not None:
        raise DataError("Labels have no thresholds: the most probable one is the answer.")
    limits = np.asarray(THRESHOLD if thresholds is None else thresholds, np.float64)
    allowed = [()] if kind != MULTILABEL else [(), probabilities.shape[1:]]
    if limits.shape not in allowed:
        raise DataError(f"Probabilities {probabilities.shape} have thresholds {limits.shape}.")
    if np.isnan(limits).any():
        raise DataError("A threshold is not a number (NaN).")
    return limits
