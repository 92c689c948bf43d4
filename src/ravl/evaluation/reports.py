"""Errors of a model: scores of each label, the confusion matrix, and a text table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.outputs import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    UNKNOWN,
    OutputKind,
    Outputs,
    Probabilities,
    Targets,
    Thresholds,
    checked,
)

Counts = NDArray[np.int64]
UNKNOWN_NAME = "(unknown label)"


@dataclass(frozen=True, slots=True)
class LabelScore:
    """The scores of one label or tag.

    Args:
        label: its name.
        support: the number of examples with the label.
        precision: the share of right answers among answers with the label; 0 without answers.
        recall: the share of examples with the label that got it; 0 without such examples.
        f1: the harmonic mean of precision and recall.
    """

    label: str
    support: int
    precision: float
    recall: float
    f1: float


def per_label(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    labels: Sequence[str],
    thresholds: Thresholds | None = None,
) -> list[LabelScore]:
    """The scores of each label, in the order of the labels.

    Args:
        kind: as in :func:`ravl.evaluation.measure`, like probabilities, targets and thresholds.
        labels: names of the C labels or the T tags; for binary two names, of 0 and of 1.

    Raises:
        DataError: as there, and if the number of labels differs.
    """
    outputs = checked(kind, probabilities, targets, thresholds)
    _check_labels(outputs, labels)
    hits, given, support = _counts(outputs, len(labels))
    rows = zip(labels, hits, given, support, strict=True)
    return [
        LabelScore(str(label), int(true), _share(h, g), _share(h, true), _share(2 * h, g + true))
        for label, h, g, true in rows
    ]


def confusion(probabilities: Probabilities, targets: Targets) -> tuple[Counts, int]:
    """The confusion matrix: the number of answers with each label for each true label.

    Args:
        probabilities: (n, C).
        targets: (n,) positions of the true labels, -1 for an unknown label.

    Returns:
        Counts (C, C), the true label by row and the answer by column, and the number of examples
        with an unknown label, which are in no row.

    Raises:
        DataError: as :func:`ravl.evaluation.measure`.
    """
    outputs = checked(MULTICLASS, probabilities, targets)
    count = outputs.probabilities.shape[1]
    known = outputs.targets != UNKNOWN
    cells = outputs.targets[known] * count + outputs.answers[known]
    table = np.bincount(cells, minlength=count * count).reshape(count, count)
    return table, int(np.count_nonzero(~known))


def text_report(
    kind: OutputKind,
    probabilities: Probabilities,
    targets: Targets,
    labels: Sequence[str],
    thresholds: Thresholds | None = None,
) -> str:
    """The table of scikit-learn's ``classification_report``.

    It has the labels that occur as target or answer, and a line for labels that the model does not
    know. In its macro average, tags that were given but have no positive count as 0;
    :func:`ravl.evaluation.measure` leaves them out.

    Args:
        kind: as in :func:`per_label`, like the other arguments.

    Raises:
        DataError: as there.
    """
    # Imported here because it loads slowly, and only this function needs it.
    from sklearn.metrics import (  # type: ignore[import-untyped, unused-ignore]
        classification_report,
    )

    outputs = checked(kind, probabilities, targets, thresholds)
    _check_labels(outputs, labels)
    true, answers = outputs.targets, outputs.answers
    numbers, names = _listed(outputs, labels)
    if kind == MULTILABEL and len(labels) == 1:
        # scikit-learn treats a single column as two classes; the tag is class 1.
        true, answers, numbers = true.ravel(), answers.ravel(), [1]
    return str(
        classification_report(true, answers, labels=numbers, target_names=names, zero_division=0)
    )


def _listed(outputs: Outputs, labels: Sequence[str]) -> tuple[list[int], list[str]]:
    """Numbers and names of the labels that occur as target or answer; all labels if none does."""
    _, given, support = _counts(outputs, len(labels))
    seen = np.flatnonzero(given + support).tolist() or list(range(len(labels)))
    names = [str(labels[i]) for i in seen]
    if outputs.kind == MULTICLASS and (outputs.targets == UNKNOWN).any():
        return [*seen, UNKNOWN], [*names, UNKNOWN_NAME]
    return seen, names


def _check_labels(outputs: Outputs, labels: Sequence[str]) -> None:
    needed = 2 if outputs.kind == BINARY else outputs.probabilities.shape[1]
    if len(labels) != needed:
        raise DataError(
            f"Probabilities {outputs.probabilities.shape} need {needed} labels, not {len(labels)}."
        )


def _counts(outputs: Outputs, count: int) -> tuple[Counts, Counts, Counts]:
    """For each label (count,): the numbers of right answers, of answers, and of targets."""
    true, answers = outputs.targets, outputs.answers
    if outputs.kind == MULTILABEL:
        return (true * answers).sum(axis=0), answers.sum(axis=0), true.sum(axis=0)
    parts = (true[true == answers], answers, true[true != UNKNOWN])
    hits, given, support = (np.bincount(part, minlength=count) for part in parts)
    return hits, given, support


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else 0.0
