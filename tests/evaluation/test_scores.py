from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.errors import DataError
from ravl.evaluation import (
    OfSamples,
    Score,
    bootstrap,
    bootstrap_of,
    difference_of,
    paired_difference,
)
from tests.counting import python_calls

GROUPED = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 6)), min_size=1, max_size=25)


def test_words():
    assert Score(0.2512, 0.229, 0.2731).percent() == "25.1 % (22.9-27.3)"
    assert Score(-0.01, -0.02, 0.003).percent() == "-1.0 % (-2.0 to 0.3)"
    assert str(Score(12, 9, 14)) == "12 (9-14)"
    assert str(Score(12.5, 9, 14)) == "12.5 (9.0-14.0)"
    assert str(Score(0.3451, 0.32, 0.371)) == "0.345 (0.320-0.371)"
    assert str(Score(-16, -18, -15)) == "-16 (-18 to -15)"


def test_json_and_clear():
    assert Score(1 / 3, 0.25, 0.5).to_json() == {"value": 0.333333, "low": 0.25, "high": 0.5}
    clear = [Score(0, low, high).clear for low, high in [(-1, 1), (0, 1), (0.1, 1), (-1, -0.1)]]
    assert clear == [False, False, True, True]


def of(statistic, values):
    return np.mean(values) if statistic == "mean" else np.median(values)


def slow(values, groups, statistic, seed):
    """The same groups, drawn one sample at a time with their values written out."""
    names = np.unique(groups)
    draws = np.random.default_rng(seed).integers(0, len(names), (200, len(names)), np.int32)
    drawn = [of(statistic, np.concatenate([values[groups == names[g]] for g in d])) for d in draws]
    return np.percentile(drawn, [2.5, 97.5])


@given(GROUPED, st.sampled_from(["mean", "median"]), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_bootstrap_is_the_slow_one(pairs, statistic, seed):
    values, groups = (np.array(column) for column in zip(*pairs, strict=True))
    score = bootstrap(values, groups, statistic, rounds=200, seed=seed)
    assert score.value == pytest.approx(of(statistic, values))
    assert (score.low, score.high) == pytest.approx(slow(values, groups, statistic, seed))


def test_intervals_cover_the_truth():
    random = np.random.default_rng(0)
    inside = {"by group": 0, "one by one": 0}
    for i in range(200):
        shared = random.normal(size=(60, 1))  # what the five queries of a picture have in common
        values = (shared + 0.3 * random.normal(size=(60, 5))).ravel()
        for name, groups in (("by group", np.arange(300) // 5), ("one by one", None)):
            score = bootstrap(values, groups, rounds=400, seed=i)
            inside[name] += score.low <= 0 <= score.high
    assert inside["by group"] >= 180  # 95 % of 200 are 190
    assert inside["one by one"] < 150  # why groups are needed


def test_many_draws_are_made_in_parts(monkeypatch):
    values = np.random.default_rng(0).random(50)
    whole = bootstrap(values, rounds=101)
    monkeypatch.setattr("ravl.evaluation.scores.DRAWS", 7 * 50)
    assert bootstrap(values, rounds=101) == whole


def test_a_pair_is_drawn_together():
    random = np.random.default_rng(0)
    before = random.normal(0, 10, 400)
    after = before + random.normal(0.5, 0.1, 400)
    score = paired_difference(after, before)
    assert score.value == pytest.approx(0.5, abs=0.02)
    assert score.high - score.low < 0.05
    assert score.clear
    assert not bootstrap(after).clear
    mean = bootstrap(after - before)
    assert (score.low, score.high) == pytest.approx((mean.low, mean.high))


def test_paired_medians():
    score = paired_difference(np.array([2, 3, 9]), np.array([5, 6, 7]), statistic="median")
    assert score.value == -3
    same = paired_difference(np.arange(9), np.arange(9), np.arange(9) // 3, "median")
    assert same == Score(0, 0, 0)


def test_groups_may_have_names_and_one_query_has_no_interval():
    values = np.array([1.0, 2.0, 4.0])
    named = bootstrap(values, np.array(["b", "a", "b"]))
    assert named == bootstrap(values, np.array([1, 0, 1]))
    assert bootstrap(np.array([True])) == Score(1, 1, 1)
    assert bootstrap(values, np.zeros(3)).low == pytest.approx(7 / 3)


def test_the_work_does_not_grow_with_the_values():
    values = np.random.default_rng(0).random(30_000)
    few, many = (
        python_calls(lambda: bootstrap(values[:n], np.arange(n) // 5))  # noqa: B023 (at once)
        for n in (300, 30_000)
    )
    assert many < 2 * few, "NumPy should work on all values at once"


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        ([], None, "no score without queries"),
        ([[1.0]], None, "one value per query"),
        ([np.nan], None, "not a finite number"),
        ([1.0, 2.0], [1], "2 queries have 1 groups"),
    ],
)
def test_bad_values(values, groups, message):
    with pytest.raises(DataError, match=message):
        bootstrap(np.array(values), None if groups is None else np.array(groups))


def test_a_pair_has_the_same_queries():
    with pytest.raises(DataError, match="2 values after and 3 before"):
        paired_difference(np.ones(2), np.ones(3))


def mean_of(values):
    return lambda weights: float(weights @ values / weights.sum())


@pytest.mark.parametrize("seed", range(5))
def test_a_mean_has_the_same_interval_either_way(seed):
    values, groups = np.random.default_rng(seed).normal(size=200), np.arange(200) // 4
    for together in (None, groups):
        score = bootstrap_of(mean_of(values), 200, together, seed=seed)
        plain = bootstrap(values, together, rounds=300, seed=seed)
        assert (score.value, score.low, score.high) == pytest.approx(
            (plain.value, plain.low, plain.high)
        )
        assert score == bootstrap_of(mean_of(values), 200, together, seed=seed)
        assert score != bootstrap_of(mean_of(values), 200, together, seed=seed + 1)


def test_weights_are_counts_of_whole_groups():
    groups, seen = np.array(["b", "a", "b", "c"]), []

    def first(weights):
        seen.append(weights)
        return float(weights[0])

    bootstrap_of(first, 4, groups, rounds=20)
    assert seen[0].tolist() == [1, 1, 1, 1]
    assert len(seen) == 21
    for weights in seen:
        assert weights[0] == weights[2]
        assert weights[[0, 1, 3]].sum() == 3
    assert len({tuple(weights) for weights in seen}) > 5


def distinct(weights):
    """A statistic that is smaller in every resample: the share of examples that are there."""
    return float(np.count_nonzero(weights)) / len(weights)


def test_a_bias_moves_the_interval_which_still_holds_the_value():
    score = bootstrap_of(distinct, 100)
    assert score.value == score.low == 1
    assert score.high == pytest.approx(1 + 1 / np.e, abs=0.1)  # resamples have 1 - 1/e of them
    assert bootstrap_of(distinct, 100, within=(0, 1)) == Score(1, 1, 1)


def test_the_correction_covers_more_of_the_truth():
    random = np.random.default_rng(0)
    inside = {"corrected": 0, "percentile": 0}
    for i in range(100):
        points = random.normal(0.1, 1, (40, 5))

        def length(weights, points=points):  # squared, of the mean: 0.05 in truth, and too long
            return float(((weights @ points / weights.sum()) ** 2).sum())

        draws = np.random.default_rng(i).integers(0, 40, (200, 40), np.int32)
        low, high = np.percentile((points[draws].mean(axis=1) ** 2).sum(axis=1), [2.5, 97.5])
        inside["percentile"] += low <= 0.05 <= high
        score = bootstrap_of(length, 40, rounds=200, seed=i)
        inside["corrected"] += score.low <= 0.05 <= score.high
    assert inside["corrected"] > inside["percentile"] + 20, inside
    assert inside["corrected"] > 85, inside


def test_samples_without_the_statistic_are_left_out():
    values = np.array([0.0, 0.0, 1.0])

    def only_with_a_one(weights):
        return float(weights @ values) if weights[2] else float("nan")

    score = bootstrap_of(only_with_a_one, 3)
    assert score.value == 1
    assert np.isfinite([score.low, score.high]).all()
    with pytest.raises(DataError, match="not a finite number"):
        bootstrap_of(lambda weights: float("nan"), 3)
    with pytest.raises(DataError, match="not a finite number"):
        bootstrap_of(lambda weights: float("nan") if weights.max() > 1 else 1.0, 50)


def test_any_difference_is_drawn_together():
    random = np.random.default_rng(0)
    before = random.normal(0, 10, 400)
    after = before + random.normal(0.5, 0.1, 400)
    score = difference_of(mean_of(after), mean_of(before), 400)
    plain = paired_difference(after, before, rounds=300)
    assert score.value == pytest.approx(plain.value)
    assert (score.low, score.high) == pytest.approx((plain.low, plain.high))
    assert score.clear and score.high - score.low < 0.05
    assert difference_of(mean_of(after), mean_of(after), 400) == Score(0, 0, 0)


@pytest.mark.parametrize("at_once", [1, 100, 10**9])
def test_many_samples_at_once_give_what_each_gives_alone(at_once, monkeypatch):
    monkeypatch.setattr("ravl.evaluation.scores.AT_ONCE", at_once)
    random = np.random.default_rng(0)
    after, before = random.normal(size=(2, 30))

    def mean(values):
        return OfSamples(lambda weights: weights @ values / weights.sum(axis=1), width=40)

    groups = np.arange(30) // 2
    score = bootstrap_of(mean(after), 30, groups)
    alone = bootstrap_of(mean_of(after), 30, groups)
    assert astuple(score) == pytest.approx(astuple(alone), abs=1e-12)
    for one, other in ((mean, mean), (mean, mean_of), (mean_of, mean)):
        score = difference_of(one(after), other(before), 30, groups)
        alone = difference_of(mean_of(after), mean_of(before), 30, groups)
        assert astuple(score) == pytest.approx(astuple(alone), abs=1e-12)


def test_there_are_examples_and_each_has_a_group():
    with pytest.raises(DataError, match="no score without examples"):
        bootstrap_of(distinct, 0)
    with pytest.raises(DataError, match="3 examples have 2 groups"):
        bootstrap_of(distinct, 3, np.array([1, 2]))
