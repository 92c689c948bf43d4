from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics  # type: ignore[import-untyped, unused-ignore]

from ravl.errors import DataError
from ravl.evaluation import PRIMARY, Score, compare, measure, values
from tests.counting import python_calls

NAMES = {
    "multiclass": ["accuracy", "macro_f1", "log_loss", "ECE", "coverage@5%risk"],
    "multilabel": ["mAP", "micro_f1", "macro_f1", "log_loss", "ECE"],
    "binary": ["AUC", "average_precision", "accuracy", "log_loss", "ECE"],
}
TASKS = list(NAMES)


def softmax(scores):
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True)


def example(task, n=200, seed=0, width=8):
    """Probabilities that are better than chance, and their targets."""
    random = np.random.default_rng(seed)
    if task == "multiclass":
        targets = random.integers(0, width, n)
        return softmax(random.normal(size=(n, width)) + 2 * np.eye(width)[targets]), targets
    targets = random.random((n, width) if task == "multilabel" else n) < 0.3
    scores = random.normal(size=targets.shape) + 1.5 * targets - 1
    return (1 / (1 + np.exp(-scores))).round(2), targets.astype(np.int64)


@pytest.mark.parametrize("task", TASKS)
def test_measures_are_values_with_intervals(task):
    scores = measure(task, *example(task))
    assert list(scores) == NAMES[task]
    assert PRIMARY[task] in scores
    assert values(task, *example(task)) == {name: s.value for name, s in scores.items()}
    for score in scores.values():
        assert score.low <= score.value <= score.high
        assert score.low < score.high
    assert measure(task, *example(task)) == scores
    assert measure(task, *example(task), seed=1) != scores


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_measured_as_by_scikit_learn(seed):
    probabilities, targets = example("multiclass", 60, seed, 30)  # not every label occurs
    found, answers = values("multiclass", probabilities, targets), probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, answers))
    macro = metrics.f1_score(targets, answers, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(macro)
    loss = metrics.log_loss(targets, probabilities, labels=np.arange(30))
    assert found["log_loss"] == pytest.approx(loss)


def test_unknown_labels_are_missed():
    probabilities, targets = example("multiclass", 100)
    targets[:20] = -1
    found, answers = values("multiclass", probabilities, targets), probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, answers))
    macro = metrics.f1_score(targets, answers, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(macro)
    known = values("multiclass", probabilities[20:], targets[20:])["log_loss"]
    assert found["log_loss"] == pytest.approx(0.8 * known - 0.2 * np.log(1e-6))
    nothing = values("multiclass", probabilities, np.full(100, -1))
    assert nothing["accuracy"] == nothing["macro_f1"] == nothing["coverage@5%risk"] == 0


@pytest.mark.parametrize("thresholds", [None, 0.3, np.linspace(0.1, 0.9, 8)])
def test_tags_are_measured_as_by_scikit_learn(thresholds):
    probabilities, targets = example("multilabel")
    targets[:, 2] = 0
    found = values("multilabel", probabilities, targets, thresholds=thresholds)
    answers = (probabilities >= (0.5 if thresholds is None else thresholds)).astype(int)
    kept = targets.any(axis=0)
    for average, columns in (("micro", slice(None)), ("macro", kept)):
        expected = metrics.f1_score(targets[:, columns], answers[:, columns], average=average)
        assert found[f"{average}_f1"] == pytest.approx(expected)
    precision = metrics.average_precision_score(targets[:, kept], probabilities[:, kept])
    assert found["mAP"] == pytest.approx(precision)
    loss = metrics.log_loss(targets.ravel(), probabilities.ravel().clip(1e-6, 1 - 1e-6))
    assert found["log_loss"] == pytest.approx(loss)


@pytest.mark.parametrize("threshold", [None, 0.2])
def test_matches_are_measured_as_by_scikit_learn(threshold):
    probabilities, targets = example("binary")  # rounded, so there are ties
    assert len(np.unique(probabilities)) < 150
    found = values("binary", probabilities, targets, thresholds=threshold)
    answers = probabilities >= (threshold or 0.5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, answers))
    assert found["AUC"] == pytest.approx(metrics.roc_auc_score(targets, probabilities))
    precision = metrics.average_precision_score(targets, probabilities)
    assert found["average_precision"] == pytest.approx(precision)
    loss = metrics.log_loss(targets, probabilities.clip(1e-6, 1 - 1e-6))
    assert found["log_loss"] == pytest.approx(loss)


def test_calibration_is_that_of_the_answers():
    probabilities = np.full((4, 2), [0.75, 0.25])
    assert values("multiclass", probabilities, np.array([0, 0, 0, 1]))["ECE"] == 0
    assert values("multiclass", probabilities, np.array([1, 1, 1, 1]))["ECE"] == 0.75
    assert values("binary", np.full(4, 0.25), np.array([0, 0, 0, 1]))["ECE"] == 0
    assert values("binary", np.full(4, 0.25), np.ones(4, int))["ECE"] == 0.75
    cells = values("multilabel", np.full((2, 2), 0.25), np.array([[0, 0], [0, 1]]))
    assert cells["ECE"] == 0


def test_only_what_is_defined_is_measured():
    sure = np.array([0.2, 0.7])
    for same in (np.zeros(2, int), np.ones(2, int)):
        assert list(measure("binary", sure, same)) == ["accuracy", "log_loss", "ECE"]
    assert list(measure("multilabel", sure[:, None], np.zeros((2, 1), int))) == ["log_loss", "ECE"]
    lone = measure("binary", sure, np.array([0, 1]))  # half of the resamples have one class
    assert lone["AUC"] == Score(1, 1, 1)


@pytest.mark.parametrize("task", TASKS)
def test_resamples_are_measured_like_the_whole(task):
    """Examples that all come twice have the scores that they have once."""
    probabilities, targets = example(task, 50)
    twice = values(task, np.repeat(probabilities, 2, axis=0), np.repeat(targets, 2, axis=0))
    assert twice == pytest.approx(values(task, probabilities, targets))


@pytest.mark.parametrize("task", TASKS)
def test_groups_widen_the_interval(task):
    probabilities, targets = example(task, 60)
    many = np.repeat(probabilities, 9, axis=0), np.repeat(targets, 9, axis=0)
    alone, together = (
        measure(task, *many, groups=groups)["log_loss"] for groups in (None, np.arange(540) // 9)
    )
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("task", TASKS)
def test_a_pair_is_narrower_than_its_two(task):
    after, targets = example(task, 400)
    before = 0.95 * after + 0.05 * np.random.default_rng(1).permutation(after)
    new, old = measure(task, after, targets), measure(task, before, targets)
    differences = compare(task, after, before, targets)
    assert list(differences) == NAMES[task]
    for name in (PRIMARY[task], "log_loss"):
        apart = np.hypot(new[name].high - new[name].low, old[name].high - old[name].low)
        assert differences[name].high - differences[name].low < apart / 2
        assert differences[name].value == pytest.approx(new[name].value - old[name].value)
    assert differences["log_loss"].clear
    same = compare(task, after, after, targets)
    assert set(same.values()) == {Score(0, 0, 0)}


def test_thresholds_of_both_are_their_own():
    probabilities, targets = example("multilabel")
    limits = np.full(8, 0.3)
    found = compare(
        "multilabel",
        probabilities,
        probabilities,
        targets,
        thresholds_after=limits,
        thresholds_before=0.6,
    )
    lower = values("multilabel", probabilities, targets, thresholds=0.3)["micro_f1"]
    higher = values("multilabel", probabilities, targets, thresholds=0.6)["micro_f1"]
    assert found["micro_f1"].value == pytest.approx(lower - higher)
    assert found["mAP"] == Score(0, 0, 0)


def test_what_does_not_fit_is_refused():
    probabilities, targets = example("multiclass")
    with pytest.raises(DataError, match=r"\(200, 8\) after and \(199, 8\) before"):
        compare("multiclass", probabilities, probabilities[:-1], targets)
    with pytest.raises(DataError, match="200 examples have 3 groups"):
        measure("multiclass", probabilities, targets, groups=np.arange(3))
    with pytest.raises(DataError, match="no score without examples"):
        values("multiclass", probabilities[:0], targets[:0])
    with pytest.raises(DataError, match="NaN"):
        measure("multiclass", probabilities * np.nan, targets)


@pytest.mark.parametrize("task", TASKS)
def test_the_work_does_not_grow_with_the_examples(task, monkeypatch):
    monkeypatch.setattr("ravl.evaluation.scores.AT_ONCE", 10**9)
    few, many = (
        python_calls(lambda: measure(task, *example(task, n)))  # noqa: B023 (called at once)
        for n in (200, 2000)
    )
    assert many < 1.5 * few, "NumPy should work on all examples at once"
