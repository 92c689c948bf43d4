from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.memory import Memory
from ravl.tasks.labels.choose import Fitted, _choose, fit_levels
from ravl.tasks.labels.evaluate_test import judge, random_neighbours, wide
from ravl.training.report_rows import ROWS
from ravl.training.selection import one_se_rule
from tests.helpers import ColourEncoder
from tests.labelled import near_of, shades
from tests.tasks.labels.test_dataset import grounded


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Ground, fitted levels and their scores, of 80 shades of which five are only in the test."""
    folder = tmp_path_factory.mktemp("judged")
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(folder / "pictures", 80))
        for i in range(5):
            memory.update(f"red_{4 * i:03d}.png", label="strange")
        options = {"model": "linear", "test": "number < 24"}
        with grounded(memory, folder / "w", **options) as (data, _):
            data, fitted = fit_levels(data, folder / "w", False)
            yield data, fitted, judge(data, fitted.levels, "linear")


def test_every_row_is_scored_in_the_same_way(judged):
    data, _, found = judged
    assert set(ROWS) - {"question_only"} <= set(found.scores)  # which only ask has
    for name in found.scores:
        line = found.wide(name)
        assert line.shape == (24, len(found.names))
        right = (line.argmax(1) == found.truth).mean()
        assert found.scores[name]["accuracy"].value == pytest.approx(right)
        assert found.thresholds[name] is None


def test_what_nobody_can_know_counts_as_missed(judged):
    data, _, found = judged
    assert "strange" not in found.names
    assert (found.truth == -1).sum() == 5
    assert found.scores["with_retrieval"]["accuracy"].value <= 19 / 24


def test_differences_are_those_of_the_scores(judged):
    _, _, found = judged
    for (after, before), scores in found.differences.items():
        a, b = (found.scores[n]["accuracy"].value for n in (after, before))
        assert scores["accuracy"].value == pytest.approx(a - b)


def test_retrieval_on_is_the_run_as_it_answers(judged):
    data, fitted, found = judged
    np.testing.assert_array_equal(found.wide("retrieval_on"), found.wide("with_retrieval"))
    own = fitted.levels["linear"].without(data.test.queries).probabilities
    np.testing.assert_allclose(found.wide("retrieval_off"), own)
    assert np.abs(found.wide("retrieval_shuffled") - found.wide("retrieval_on")).max() > 0.01
    assert not np.allclose(found.wide("vote"), found.wide("no_retrieval"))


def test_strangers_are_drawn_where_neighbours_were():
    near = near_of([[0, 1, -1]] * 400, [[0.9, 0.8, 0]] * 400)
    found = random_neighbours(near, 50, seed=1)
    np.testing.assert_array_equal(found.found, near.found)
    np.testing.assert_array_equal(found.similarity, near.similarity)
    assert len(np.unique(found.positions[found.found])) == 50
    np.testing.assert_array_equal(random_neighbours(near, 50, 1).positions, found.positions)


def test_rows_are_widened_for_labels_that_they_do_not_know():
    found = wide(np.array([[0.5, 0.5000001]], np.float32), 3)
    assert found.shape == (1, 3)
    assert found[0, 2] == 0
    assert found.max() <= 1


def test_the_first_level_that_is_as_good_as_the_best():
    truth = np.arange(200) % 2
    good = (np.eye(2)[truth] * 0.8 + 0.1).astype(np.float32)
    some = good.copy()
    some[:40] = some[:40, ::-1]
    nearly = good.copy()
    nearly[:1] = nearly[:1, ::-1]
    name, scores = one_se_rule("multiclass", {"a": (some, None), "b": (good, None)}, truth)
    assert (name, scores) == ("b", {"a": pytest.approx(0.8), "b": 1.0})
    equal = {"a": (good, None), "b": (good, None)}
    assert one_se_rule("multiclass", equal, truth)[0] == "a"
    assert one_se_rule("multiclass", {"a": (good, None), "b": (nearly, None)}, truth)[0] == "a"


def test_auto_chooses_between_linear_and_fusion_not_the_vote(judged):
    """Here the vote is right, and a linear level that is turned round and unmixed is wrong."""
    data, fitted, _ = judged
    vote, good = fitted.levels["vote"], fitted.levels["linear"]
    head = replace(good.head, weight=-good.head.weight, bias=-good.head.bias)
    alone = np.array([-50, *[0] * (len(good.gate.weights) - 1)], np.float32)
    wrong = replace(good, head=head, gate=replace(good.gate, weights=alone, floor=0.0))
    for linear, fusion, chosen in (
        (wrong, wrong, "linear"),
        (wrong, good, "fusion"),
        (good, good, "linear"),
    ):
        made = Fitted(levels={"vote": vote, "linear": linear, "fusion": fusion})
        assert _choose(data, made) == chosen
        assert set(made.validation) == {"linear", "fusion"}
        assert made.validation[chosen] == max(made.validation.values())
