from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravl
from ravl.data import Example
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.runs.answers import Classification, Tagging
from ravl.tasks.labels.active_learning import REACH, most_telling, suggest, uncertainty
from ravl.tasks.labels.suggest_page import suggest_page
from tests.labelled import shades
from tests.planted import picture

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def half(fitted: Path, tmp_path: Path) -> Path:
    """The fitted runs, and twenty-four pictures more without labels."""
    with Memory.open(fitted / "shop.ravl") as memory:
        more = shades(tmp_path / "more", 24, first=500)
        memory.add([replace(e, label=None, tags=(), texts=()) for e in more])
    return fitted


def told(similarity: Any) -> Any:
    return np.exp((similarity - 1) / REACH)


def test_what_is_chosen_tells_most_and_is_diverse():
    # two crowds, and one that is like nobody
    similarity = np.full((7, 7), -0.5, np.float32)
    similarity[:4, :4], similarity[4:6, 4:6] = 0.9, 0.8
    np.fill_diagonal(similarity, 1)
    nothing, alike = np.zeros(7, np.float32), np.ones(7, np.float32)
    chosen = [i for i, _ in most_telling(similarity, nothing, alike, 3)]
    assert chosen[0] in range(4) and chosen[1] in (4, 5) and chosen[2] == 6
    known = nothing.copy()
    known[:4] = told(0.9)
    assert most_telling(similarity, known, alike, 1)[0][0] in (4, 5)
    sure = alike.copy()
    sure[4:6] = 0.1
    assert most_telling(similarity, known, sure, 1)[0][0] == 6


def test_gains_are_those_of_the_plain_greedy_choice():
    random = np.random.default_rng(0)
    keys = random.normal(size=(40, 6))
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    similarity, weights = (keys @ keys.T).astype(np.float32), random.random(40).astype(np.float32)
    covered, expected = np.zeros(40, np.float32), []
    for _ in range(10):
        gains = np.maximum(told(similarity) - covered, 0) @ weights
        expected.append(float(gains.max()))
        covered = np.maximum(covered, told(similarity)[gains.argmax()])
    found = most_telling(similarity, np.zeros(40, np.float32), weights, 10)
    assert [gain for _, gain in found] == pytest.approx(expected, rel=1e-4)
    assert len({i for i, _ in found}) == 10
    assert len(most_telling(similarity, np.zeros(40, np.float32), weights, 99)) == 40


def test_uncertainty_of_labels_and_tags():
    usual: dict[str, Any] = {
        "confidence": 0.5,
        "abstained": False,
        "gate": 0.5,
        "memory": {},
        "model": {},
    }
    even = Classification(**usual, label="a", scores={"a": 0.5, "b": 0.5})
    assert uncertainty(even) == pytest.approx(1)
    sure = Classification(**usual, label="a", scores={"a": 0.98, "b": 0.01})
    assert uncertainty(sure) == pytest.approx(0.03)
    torn = replace(sure, memory={"a": 1.0}, model={"b": 1.0})
    assert uncertainty(torn) == pytest.approx(0.515)
    assert uncertainty(Tagging(**usual, tags=(), scores={"a": 0.99, "b": 0.4})) == pytest.approx(
        0.8
    )


@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "shop.ravl"])
def test_unlabelled_rows_are_named_once(half, name):
    found = suggest(half / name, 10)
    ids = [one.row.id for one in found]
    assert len(set(ids)) == 10
    assert all(one.row.label is None and not one.row.tags for one in found)
    gains = [one.gain for one in found]
    assert gains == sorted(gains, reverse=True) and gains[-1] >= 0
    assert all((one.answer is None) == (name == "shop.ravl") for one in found)
    assert len(suggest(half / name, 100)) == 24


def test_new_kinds_come_before_what_is_known(half, tmp_path):
    new = []
    for i in range(6):
        vector = np.random.default_rng(i).normal(size=48).astype(np.float32)
        (tmp_path / f"new{i}.png").write_bytes(picture(vector))
        new.append(Example(f"new{i}", tmp_path / f"new{i}.png"))
    with Memory.open(half / "shop.ravl") as memory:
        memory.add(new)
    first = [one.row.id for one in suggest(half / "linear", 3)]
    assert sum(id.startswith("new") for id in first) >= 2


def test_where_and_what_is_refused(half):
    with pytest.raises(QueryError, match="count is 0"):
        suggest(half / "linear", 0)
    found = suggest(half / "linear", 50, where="number >= 512")
    assert {one.row.columns["number"] for one in found} == set(range(512, 524))
    with pytest.raises(DataError, match="no picture without a label that 'number < 40'"):
        suggest(half / "linear", where="number < 40")


def test_page_and_json(half):
    with ravl.load(half / "linear") as model:
        found = ravl.suggest(model, 5)
        page = suggest_page(model.memory, found, "label")
    assert page.count("data:image/jpeg") == 5 and found[0].row.id in page
    record = found[0].to_json()
    assert record["id"] == found[0].row.id and "tells about" in record["reason"]
