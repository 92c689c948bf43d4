from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics  # type: ignore[import-untyped, unused-ignore]

from ravl.errors import DataError
from ravl.evaluation import LabelScore, confusion, per_label, text_report, values

COLOURS = ["red", "green", "blue", "grey"]


def labelled(*answers, labels=4):
    """Probabilities (n, labels) that have these answers."""
    return np.eye(labels)[list(answers)]


def same_as_scikit_learn(scores, true, answers, **options):
    expected = metrics.precision_recall_fscore_support(true, answers, zero_division=0, **options)
    found = [(s.precision, s.recall, s.f1, s.support) for s in scores]
    assert found == pytest.approx(np.array(expected).T)


def test_labels_by_hand():
    scores = per_label("multiclass", labelled(0, 0, 1, 0), np.array([0, 1, 1, -1]), COLOURS)
    assert scores == [
        LabelScore("red", 1, 1 / 3, 1, 0.5),
        LabelScore("green", 2, 1, 0.5, 2 / 3),
        LabelScore("blue", 0, 0, 0, 0),
        LabelScore("grey", 0, 0, 0, 0),
    ]


def test_labels_tags_and_matches_as_by_scikit_learn():
    random = np.random.default_rng(0)
    true, answers = random.integers(-1, 4, 50), random.integers(0, 4, 50)
    scores = per_label("multiclass", labelled(*answers), true, COLOURS)
    same_as_scikit_learn(scores, true, answers, labels=range(4))
    sure, tags = random.random((50, 4)), random.integers(0, 2, (50, 4))
    limits = np.array([0.2, 0.4, 0.6, 1.1])
    scores = per_label("multilabel", sure, tags, COLOURS, limits)
    same_as_scikit_learn(scores, tags, sure >= limits)
    scores = per_label("binary", sure[:, 0], tags[:, 0], ["apart", "together"], 0.3)
    assert [s.label for s in scores] == ["apart", "together"]
    same_as_scikit_learn(scores, tags[:, 0], sure[:, 0] >= 0.3)


def test_confusion():
    table, unknown = confusion(labelled(0, 1, 1, 2, 3, 3), np.array([0, 0, 1, 2, -1, -1]))
    assert table.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert unknown == 2
    random = np.random.default_rng(0)
    true, answers = random.integers(0, 4, 90), random.integers(0, 4, 90)
    table, unknown = confusion(labelled(*answers), true)
    assert table.tolist() == metrics.confusion_matrix(true, answers).tolist()
    assert unknown == 0


def row(report: str, name: str) -> list[str]:
    (found,) = (line for line in report.splitlines() if line.strip().startswith(name))
    return found.strip().removeprefix(name).split()


def test_the_report_of_labels_has_those_that_occur():
    probabilities, targets = labelled(0, 0, 1, 0), np.array([0, 1, 1, -1])
    report = text_report("multiclass", probabilities, targets, COLOURS)
    assert row(report, "red") == ["0.33", "1.00", "0.50", "1"]
    assert row(report, "(unknown label)") == ["0.00", "0.00", "0.00", "1"]
    assert "blue" not in report
    found = values("multiclass", probabilities, targets)
    assert row(report, "accuracy")[0] == f"{found['accuracy']:.2f}"
    assert row(report, "macro avg")[2] == f"{found['macro_f1']:.2f}"


def test_the_report_of_tags():
    sure = np.array([[0.9, 0.2, 0.1], [0.8, 0.6, 0.2], [0.3, 0.7, 0.4]])
    tags = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    report = text_report("multilabel", sure, tags, COLOURS[:3])
    assert row(report, "red") == ["0.50", "0.50", "0.50", "2"]
    assert "blue" not in report
    found = values("multilabel", sure, tags)
    assert row(report, "micro avg")[2] == f"{found['micro_f1']:.2f}"
    assert row(report, "macro avg")[2] == f"{found['macro_f1']:.2f}"
    one = text_report("multilabel", sure[:, :1], tags[:, :1], ["red"])
    assert row(one, "red") == ["0.50", "0.50", "0.50", "2"]
    none = text_report("multilabel", sure * 0, tags * 0, COLOURS[:3])
    assert row(none, "blue") == ["0.00", "0.00", "0.00", "0"]


def test_the_report_of_matches():
    sure, matches = np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0])
    report = text_report("binary", sure, matches, ["apart", "together"])
    assert row(report, "together") == ["0.50", "1.00", "0.67", "1"]
    report = text_report("binary", sure, matches, ["apart", "together"], 0.7)
    assert row(report, "accuracy")[0] == "1.00"


@pytest.mark.parametrize("make", [per_label, text_report])
def test_each_label_has_a_name(make):
    with pytest.raises(DataError, match=r"\(1, 4\) need 4 labels, not 3"):
        make("multiclass", labelled(0), np.array([0]), COLOURS[:3])
    with pytest.raises(DataError, match="need 2 labels, not 1"):
        make("binary", np.array([0.5]), np.array([0]), ["together"])
    with pytest.raises(DataError, match="NaN"):
        make("binary", np.array([np.nan]), np.array([0]), ["apart", "together"])
