from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ravl
from ravl.drift.page import drift_page
from ravl.drift.report import compare_signals
from ravl.errors import DataError, QueryError
from ravl.runs.drift_reference import REFERENCE, read_reference
from tests.drift.samples import sample
from tests.helpers import draw
from tests.labelled import shades, table

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def referenced(fitted, tmp_path):
    """The fitted runs, with references of forty pictures that they were not fitted on."""
    shades(tmp_path / "then", 40, first=1000)
    for name in ("linear", "vote", "tags"):
        ravl.detect_drift(fitted / name, tmp_path / "then", reference=tmp_path / "then")
    return fitted


def test_a_fit_keeps_what_its_test_part_gave(fitted):
    split = json.loads((fitted / "linear" / "split.json").read_text())
    known = read_reference(fitted / "linear")
    assert len(known.signals) == len(split["test"])
    assert set(known.signals.numbers) == {"similarity", "confidence", "disagreement"}
    assert set(read_reference(fitted / "vote").signals.numbers) == {"similarity", "confidence"}
    tagged = read_reference(fitted / "tags").signals.answers
    assert tagged is not None and tagged[0]


def test_pictures_of_the_same_kind_have_not_drifted(referenced, tmp_path):
    shades(tmp_path / "now", 40, first=2000)
    for name in ("linear", "vote", "tags"):
        found = ravl.detect_drift(referenced / name, tmp_path / "now")
        assert not found.drifted and "No drift" in found.said, (name, found.to_json(0))
        assert len(found.now) == 40 and not found.notes


def test_another_mix_and_a_new_kind_have(referenced, tmp_path):
    shades(tmp_path / "now", 40, ("red",), first=2000)
    found = ravl.detect_drift(referenced / "linear", tmp_path / "now")
    tested = {each.name: each for each in found.signals}
    assert found.drifted and tested["answers"].drifted and tested["answers"].size == "large"
    assert "red 25 % → 100 %" in tested["answers"].said
    (tmp_path / "new").mkdir()
    for i in range(40):
        draw(i, "white", (48, 32)).save(tmp_path / "new" / f"{i}.png")
    found = ravl.detect_drift(referenced / "linear", tmp_path / "new")
    tested = {each.name: each for each in found.signals}
    assert tested["similarity"].drifted and "further from the memory" in tested["similarity"].said
    assert tested["similarity"].effect < -0.8
    values = [asked.similarity for asked in found.furthest]
    assert values == sorted(values)


def test_files_tables_and_bytes_are_the_same_pictures(referenced, tmp_path):
    examples = shades(tmp_path / "now", 24, first=2000)
    file = table(tmp_path / "now.csv", examples)
    paths = [Path(str(example.picture)) for example in examples]
    ways = (file, paths, [path.read_bytes() for path in paths])
    found = [ravl.detect_drift(referenced / "linear", way) for way in ways]
    assert len({round(each.p, 6) for each in found}) == 1
    assert found[2].furthest[0].name.startswith("picture ")


def test_pictures_of_the_memory_do_not_find_themselves(referenced):
    found = ravl.detect_drift(referenced / "linear", referenced / "pictures")
    nearest = max(e.similarity for asked in found.furthest for e in asked.answer.evidence)
    assert nearest < 0.99999
    for asked in found.furthest:
        assert asked.name not in [each.id for each in asked.answer.evidence]


def test_broken_pictures_are_set_aside(referenced, tmp_path):
    shades(tmp_path / "now", 24, first=2000)
    (tmp_path / "now" / "bad.png").write_bytes(b"no picture")
    found = ravl.detect_drift(referenced / "linear", tmp_path / "now")
    assert len(found.now) == 24 and "bad.png" in found.notes[-1]


def test_a_changed_memory_is_noted(referenced, tmp_path):
    shades(tmp_path / "now", 24, first=2000)
    with ravl.Memory.open(referenced / "shop.ravl") as memory:
        memory.add(shades(tmp_path / "more", 4, first=3000))
    found = ravl.detect_drift(referenced / "linear", tmp_path / "now")
    assert "The memory has changed" in found.notes[0]


def test_what_cannot_be_compared_is_refused(referenced, tmp_path):
    shades(tmp_path / "few", 5, first=2000)
    with pytest.raises(DataError, match="5 pictures are too few"):
        ravl.detect_drift(referenced / "linear", tmp_path / "few")
    with pytest.raises(QueryError, match="is a memory"):
        ravl.detect_drift(referenced / "shop.ravl", tmp_path / "few")
    with pytest.raises(QueryError, match="rate is 2"):
        ravl.detect_drift(referenced / "linear", tmp_path / "few", rate=2)
    (referenced / "linear" / REFERENCE).write_text("{}")
    with pytest.raises(DataError, match="damaged"):
        ravl.detect_drift(referenced / "linear", tmp_path / "few")
    (referenced / "linear" / REFERENCE).unlink()
    with pytest.raises(DataError, match="--reference PICTURES"):
        ravl.detect_drift(referenced / "linear", tmp_path / "few")


def test_page_shows_signals_pictures_and_neighbours(referenced, tmp_path):
    shades(tmp_path / "now", 24, ("red",), first=2000)
    with ravl.load(referenced / "linear") as model:
        found = ravl.detect_drift(model, tmp_path / "now")
        page = drift_page(found, model.memory, "<drift>")
    assert "&lt;drift&gt;" in page and "<drift>" not in page
    assert page.count('<svg class="chart"') == 3
    assert page.count("data:image/jpeg") == 24 * 5
    assert "http" not in page.replace("http-equiv", "")


def test_results_are_the_same_each_time_and_survive_json():
    random = np.random.default_rng(0)
    then, now = sample(random, 100), sample(random, 100, "answers")
    one, two = compare_signals(then, now), compare_signals(then, now)
    assert one.to_json() == two.to_json()
    assert json.loads(json.dumps(one.to_json()))["signals"][3]["size"] == "medium"


def test_many_answers_differ_by_chance_which_is_no_effect():
    random = np.random.default_rng(100)
    then, now = (
        replace(sample(random, n), answers=[(f"{i}",) for i in random.integers(0, 200, n)])
        for n in (150, 100)
    )
    mix = compare_signals(then, now).signals[-1]
    assert mix.name == "answers" and not mix.drifted and mix.size in ("negligible", "small")
    changed = replace(now, answers=[("0",) for _ in range(100)])
    assert compare_signals(then, changed).signals[-1].size == "large"


def test_a_copied_run_keeps_its_reference(fitted, tmp_path):
    shutil.copytree(fitted / "linear", tmp_path / "copy")
    assert len(read_reference(tmp_path / "copy").signals)
