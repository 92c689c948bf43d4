from __future__ import annotations

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.evaluation import confidences
from ravl.evaluation.outputs import checked

LABELS = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.1, 0.8, 0.1]])
TAGS = np.array([[0.7, 0.2], [0.5, 0.4]])


def test_confidences_of_labels():
    sure, right = confidences("multiclass", LABELS, np.array([0, 1, -1]))
    assert sure.tolist() == [0.7, 0.4, 0.8]
    assert right.tolist() == [True, False, False]


def test_confidences_of_tags_and_matches_are_those_of_the_answers():
    sure, right = confidences("multilabel", TAGS, np.array([[1, 1], [0, 0]]))
    assert sure == pytest.approx([0.7, 0.8, 0.5, 0.6])
    assert right.tolist() == [True, False, False, True]
    sure, right = confidences("multilabel", TAGS, np.array([[1, 1], [0, 0]]), np.array([0.8, 0.2]))
    assert sure == pytest.approx([0.3, 0.2, 0.5, 0.4])
    assert right.tolist() == [False, True, True, False]
    sure, right = confidences("binary", TAGS[:, 0], np.array([True, False]), 0.6)
    assert sure.tolist() == [0.7, 0.5]
    assert right.tolist() == [True, True]


def test_a_probability_at_the_threshold_is_given():
    outputs = checked("binary", np.array([0.5, 0.3], np.float32), np.array([1, 1]))
    assert outputs.answers.tolist() == [1, 0]
    outputs = checked("binary", np.array([0.5, 0.3], np.float32), np.array([1, 1]), 0.3)
    assert outputs.answers.tolist() == [1, 1]


def test_the_truth_of_an_unknown_label_has_no_probability():
    outputs = checked("multiclass", LABELS, np.array([0, 1, -1]))
    assert outputs.of_truth.tolist() == [0.7, 0.3, 0]
    assert checked("multilabel", TAGS, np.array([[1, 1], [0, 0]])).of_truth == pytest.approx(
        np.array([[0.7, 0.2], [0.5, 0.6]])
    )


def test_rounding_is_allowed():
    outputs = checked("binary", np.array([1.000001, -0.000001]), np.array([1, 0]))
    assert outputs.probabilities.tolist() == [1, 0]
    half = (LABELS / LABELS.sum(1, keepdims=True)).astype(np.float16)
    assert checked("multiclass", half, np.array([0, 1, 2], np.int32)).targets.dtype == np.int64


@pytest.mark.parametrize(
    ("task", "probabilities", "targets", "thresholds", "message"),
    [
        ("captions", LABELS, [0, 1, 2], None, "of the kind 'captions'; it must be"),
        ("multiclass", LABELS[0], [0], None, r"shape \(n, labels\), not \(3,\)"),
        ("multilabel", LABELS[0], [0], None, r"shape \(n, tags\), not \(3,\)"),
        ("binary", LABELS, [0, 1, 1], None, r"shape \(n,\), not \(3, 3\)"),
        ("multiclass", LABELS[:0], [], None, "no score without examples"),
        ("binary", [], [], None, "no score without examples"),
        ("binary", [0.5, np.nan], [0, 1], None, "NaN"),
        ("binary", [0.5, 1.5], [0, 1], None, "reach 0.5 to 1.5"),
        ("multilabel", [[0.5, -0.1]], [[0, 1]], None, "reach -0.1 to 0.5"),
        ("binary", [0.5, np.inf], [0, 1], None, "reach 0.5 to inf"),
        ("multiclass", LABELS * 0.9, [0, 1, 2], None, "sum to 1, not to 0.9"),
        ("multiclass", LABELS, [0, 1], None, r"need targets \(3,\), not \(2,\)"),
        ("multilabel", TAGS, [0, 1], None, r"need targets \(2, 2\), not \(2,\)"),
        ("multiclass", LABELS, [0, 1, 3], None, "between -1 and 2, but these reach 0 to 3"),
        ("multiclass", LABELS, [0, 1, -2], None, "between -1 and 2"),
        ("binary", [0.5], [2], None, "between 0 and 1, but these reach 2 to 2"),
        ("binary", [0.5], [0.5], None, "whole numbers, not float64"),
        ("multiclass", LABELS, [0, 1, 2], 0.5, "Labels have no thresholds"),
        ("multilabel", TAGS, [[0, 1], [1, 0]], [0.5, 0.5, 0.5], r"have thresholds \(3,\)"),
        ("binary", [0.5, 0.6], [0, 1], [0.5, 0.5], r"have thresholds \(2,\)"),
        ("binary", [0.5, 0.6], [0, 1], np.nan, "threshold is not a number"),
    ],
)
def test_what_does_not_fit_is_refused(task, probabilities, targets, thresholds, message):
    with pytest.raises(DataError, match=message):
        checked(task, np.array(probabilities), np.array(targets), thresholds)
