"""ravl.evaluate: a run on new pictures, and on its memory's own without seeing them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

import ravl
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.tasks.fit import evaluate, fit
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.model import load
from ravl.training.examples import read_labelled
from tests.helpers import ColourEncoder, database_of
from tests.labelled import leak, shades, table


@pytest.fixture
def shop(fitted) -> Iterator[Memory]:
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        yield memory


@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "tagvote"])
def test_a_table_of_new_pictures(fitted, shop, tmp_path, name):
    file = table(tmp_path / "new.csv", shades(tmp_path / "new", 24, first=500))
    found = evaluate(load(fitted / name, shop), file, progress=False)
    assert (found["pictures"], found["set_aside"]) == (24, 0)
    rows = ["with_retrieval"] if "vote" in name else ["with_retrieval", "no_retrieval", "vote"]
    assert list(found["rows"]) == rows
    assert len(found["differences"]) == len(rows) - 1
    metric = "accuracy" if found["task"] == "classify" else "mAP"
    for row in found["rows"].values():
        assert row[metric]["low"] <= row[metric]["value"] <= row[metric]["high"]
        assert row[metric]["value"] > 0.6
    assert len(shop) == 48  # nothing is remembered


def test_the_memorys_own_pictures_by_a_filter(fitted, shop):
    found = evaluate(load(fitted / "linear", shop), "number < 20", progress=False)
    assert found["pictures"] == 20
    with pytest.raises(DataError, match="No picture that could be read has a label"):
        evaluate(load(fitted / "linear", shop), "number > 999", progress=False)


@pytest.mark.parametrize("name", ["vote", "linear", "tags"])
def test_pictures_of_the_fit_are_counted(fitted, shop, tmp_path, name):
    """Their scores are too good: what was fitted has seen their labels."""
    model = load(fitted / name, shop)
    assert model.run is not None
    hashes = json.loads((model.run.folder / "split.json").read_text())["hashes"]
    learned = len(hashes["train"]) + len(hashes["validation"])
    assert evaluate(model, "number >= 0", progress=False)["learned_from"] == learned
    new = table(tmp_path / "new.csv", shades(tmp_path / "new", 24, first=500))
    assert evaluate(model, new, progress=False)["learned_from"] == 0
    (model.run.folder / "split.json").rename(tmp_path / "split.json")
    try:
        assert evaluate(model, "number >= 0", progress=False)["learned_from"] == 0
    finally:
        (tmp_path / "split.json").rename(model.run.folder / "split.json")


def test_what_cannot_be_read_is_counted(fitted, shop, tmp_path):
    examples = shades(tmp_path / "new", 8, first=500)
    (tmp_path / "new" / examples[2].id).write_bytes(b"no picture")
    found = evaluate(load(fitted / "linear", shop), table(tmp_path / "n.csv", examples))
    assert (found["pictures"], found["set_aside"]) == (7, 1)
    assert examples[2].id in found["reasons"][0]


def test_a_path_and_the_name_at_the_top(fitted, by_name):
    found = ravl.evaluate(fitted / "linear", 'label = "red"', progress=False)
    assert found["pictures"] == 12


@pytest.fixture
def chance(empty, tmp_path) -> Memory:
    """Labels drawn by chance; each picture has a retouched copy of the same label."""
    empty.add(leak(tmp_path / "leak"))
    # Whitened keys have learned from these labels; what is tested is who sees whom.
    fit("classify", empty, out=tmp_path / "run", model="vote", whiten="no", progress=False)
    return empty  # type: ignore[no-any-return]


def accuracy(memory, run, data) -> float:
    found = evaluate(load(run, memory), data, progress=False)
    return float(found["rows"]["with_retrieval"]["accuracy"]["value"])


def test_no_picture_is_judged_by_itself_nor_by_its_copies(chance, tmp_path):
    assert accuracy(chance, tmp_path / "run", "motif >= 0") < 0.5
    with database_of(chance).transaction() as connection:
        connection.execute("UPDATE rows SET twin = NULL")
    # It can be seen: who does not know of the copies finds them.
    assert accuracy(chance, tmp_path / "run", "motif >= 0") > 0.5


def test_nor_is_a_tables_picture_that_the_memory_shows(chance, tmp_path):
    """The memory has each of the table's pictures twice, under other names."""
    firsts = [e for e in leak(tmp_path / "other") if e.id.startswith("first")]
    assert accuracy(chance, tmp_path / "run", table(tmp_path / "t.csv", firsts)) < 0.5


def test_hiding_answers_as_deleting_does(fitted, shop, tmp_path):
    # Less than a fifth: of more, what the memory says would be measured again.
    held = list(shop.rows("number < 8"))
    for name in ("vote", "linear", "fusion"):
        model = load(fitted / name, shop).predictor
        examples = read_labelled(shop, shop, model.label_predictor.task.of, "number < 8")
        every = np.unique(np.concatenate(examples.shown))
        queries = Queries(examples.features)
        hidden = model.judge(queries, [every] * len(examples))
        with Memory.create(tmp_path / f"{name}.ravl", ColourEncoder()) as less:
            less.merge(shop)
            less.delete([row.id for row in held])
            there = load(fitted / name, less).predictor.judge(
                queries, [np.zeros(0, np.int64)] * len(examples)
            )
        np.testing.assert_allclose(hidden.probabilities, there.probabilities, atol=1e-3)
        np.testing.assert_allclose(hidden.gate, there.gate, atol=1e-3)
