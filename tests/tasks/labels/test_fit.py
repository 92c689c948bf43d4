"""ravl.fit for classify and tag, from the data to the run that answers."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl._version import __version__
from ravl.data import Example
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.runs.run import open_run
from ravl.tasks.fit import fit
from ravl.tasks.model import load
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import read_settings
from tests.helpers import ColourEncoder, draw
from tests.labelled import leak, random_picture, shades, table
from tests.training.painted_labels import FUSION

ROWS = ["zero_shot", "vote", "no_retrieval", "with_retrieval"]


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    empty.add(shades(tmp_path / "pictures"))
    return empty  # type: ignore[no-any-return]


def fitted_to(memory: Memory, out: Path, task: str = "classify", **options: Any) -> FitReport:
    report = fit(task, memory, out=out, progress=False, **{"model": "linear", **options})
    assert isinstance(report, FitReport)
    return report


def files(run: Path) -> set[str]:
    return {p.name for p in run.iterdir()}


# --- the run ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "tagvote"])
def test_the_runs_folder_is_complete(fitted_once, name):
    expected = {
        "run.json",
        "settings.yaml",
        "predictor.safetensors",
        "split.json",
        "metrics.json",
        "report.html",
        "README.md",
        "reference.json",
    }
    assert files(fitted_once / name) - {"logs"} == expected | (
        {"fusion"} if name == "fusion" else set()
    )
    page = (fitted_once / name / "report.html").read_text("utf-8")
    assert 'src="data:image/' in page
    assert not re.search(r"(src|href)=\"https?://", page)
    split = json.loads((fitted_once / name / "split.json").read_text())
    parts = [set(split[n]) for n in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 48
    assert "drawn" in split["how"]
    record = json.loads((fitted_once / name / "run.json").read_text())
    assert record["parts"] == {n: len(split[n]) for n in ("train", "validation", "test")}
    assert record["memory"]["relative"] == "../shop.ravl"
    assert record["versions"]["ravl"] == __version__


@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "tagvote"])
def test_the_four_rows_with_intervals(fitted_once, name):
    record = json.loads((fitted_once / name / "metrics.json").read_text())
    only_votes = "vote" in name
    assert [r for r in ROWS if r in record["rows"]] == [
        r for r in ROWS if r != "no_retrieval" or not only_votes
    ]
    metrics = {"accuracy", "log_loss"} if record["task"] == "classify" else {"mAP", "micro_f1"}
    for row in record["rows"].values():
        assert metrics <= set(row)
        for score in row.values():
            assert score["low"] <= score["value"] <= score["high"]
    primary = "accuracy" if record["task"] == "classify" else "mAP"
    assert record["rows"]["with_retrieval"][primary]["value"] > 0.8
    if not only_votes:
        difference = record["differences"]["with_retrieval - no_retrieval"][primary]
        values = [record["rows"][r][primary]["value"] for r in ("with_retrieval", "no_retrieval")]
        assert difference["value"] == pytest.approx(values[0] - values[1], abs=1e-6)
    if name == "fusion":
        assert len(record["curves"]["fusion"]) == FUSION["epochs"]
        assert {"fusion", "fusion_off"} <= set(record["parameters"])
        assert {"retrieval_on", "retrieval_off", "retrieval_shuffled"} == set(record["retrieval"])


@pytest.mark.parametrize("kind", ["linear", "fusion", "tag"])
def test_random_neighbours_and_none_cost_little(empty, tmp_path, language, kind):
    """No more than eight points below the model alone, of a hundred pictures."""
    empty.add(shades(tmp_path / "pictures", 200))
    options = FUSION | {"language_model": str(language)} if kind == "fusion" else {}
    task, primary = ("tag", "mAP") if kind == "tag" else ("classify", "accuracy")
    found = fitted_to(empty, tmp_path / "run", task, test_share=0.5, **options).metrics
    alone = found["rows"]["no_retrieval"][primary]["value"]
    assert alone > 0.8
    assert found["retrieval"]["retrieval_off"][primary]["value"] >= alone - 0.05
    assert found["retrieval"]["retrieval_shuffled"][primary]["value"] >= alone - 0.08
    assert found["retrieval"]["retrieval_on"][primary]["value"] >= alone - 0.03


def test_a_run_says_what_it_said_when_it_was_judged(shop, tmp_path):
    """The test split, hidden from itself, gets the with_retrieval row's accuracy when served."""
    report = fitted_to(shop, tmp_path / "run")
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    model = load(tmp_path / "run", shop)
    held = split["test"] + split["validation"]
    truth = {id: shop.get(id).label for id in split["test"]}
    pictures = {id: shop.picture_bytes(id) for id in split["test"]}
    shop.delete(held)
    right = [
        a.label == truth[id]
        for id, a in zip(
            split["test"], model.classify([pictures[i] for i in split["test"]]), strict=True
        )
    ]
    expected = report.metrics["rows"]["with_retrieval"]["accuracy"]["value"]
    assert np.mean(right) == pytest.approx(expected)


def test_settings_round_trip(shop, tmp_path):
    fitted_to(shop, tmp_path / "one", seed=3, test_share=0.3, prompt_templates=("x {}",))
    written = read_settings(tmp_path / "one" / "settings.yaml")
    assert (written["seed"], written["prompt_templates"]) == (3, ["x {}"])
    fit(
        "classify",
        shop,
        out=tmp_path / "two",
        progress=False,
        config=tmp_path / "one" / "settings.yaml",
    )
    one, two = (json.loads((tmp_path / n / "metrics.json").read_text()) for n in ("one", "two"))
    assert one["rows"] == two["rows"]
    fit(
        "classify",
        shop,
        out=tmp_path / "three",
        progress=False,
        seed=4,
        config=tmp_path / "one" / "settings.yaml",
    )
    assert read_settings(tmp_path / "three" / "settings.yaml")["seed"] == 4


def test_auto_takes_the_cheap_one_where_nothing_is_better(shop, tmp_path, language):
    report = fitted_to(
        shop,
        tmp_path / "run",
        **FUSION | {"model": "auto", "language_model": str(language), "epochs": 1},
    )
    assert report.chosen in ("linear", "fusion")
    assert set(report.metrics["validation"]) == {"linear", "fusion"}  # what was chosen between
    best = max(report.metrics["validation"].values())
    assert report.metrics["validation"][report.chosen] >= best - 0.1
    assert set(ROWS) == set(report.metrics["rows"])
    assert (tmp_path / "run" / "fusion").is_dir() == (report.chosen == "fusion")
    assert load(tmp_path / "run", shop).classify(draw(9, "red")).label == "red"


@pytest.mark.slow
def test_tags_with_a_fusion_model(shop, tmp_path, language):
    report = fitted_to(
        shop, tmp_path / "run", "tag", **FUSION | {"language_model": str(language), "epochs": 2}
    )
    assert report.chosen == "fusion"
    assert report.metrics["rows"]["with_retrieval"]["mAP"]["value"] > 0.8
    answer = load(tmp_path / "run", shop).tag(draw(9, "red"))
    assert "drawn" in answer.tags
    assert sum(e.share for e in answer.evidence) == pytest.approx(answer.gate, abs=1e-3)


@pytest.mark.slow
def test_the_builtin_language_model(shop, tmp_path):
    report = fitted_to(shop, tmp_path / "run", model="fusion", epochs=1, batch_size=16)
    assert report.metrics["parameters"]["fusion"] > 1_000_000
    assert load(tmp_path / "run", shop).classify(draw(9, "red")).label == "red"


# --- where examples come from ----------------------------------------------------------------


@pytest.fixture
def file(tmp_path) -> Path:
    return table(tmp_path / "told.csv", shades(tmp_path / "told", first=100))


@pytest.mark.parametrize("remember", [True, False])
def test_a_table_becomes_part_of_the_memory_if_it_shall(shop, tmp_path, file, remember):
    before = len(shop.history())
    report = fitted_to(shop, tmp_path / "run", data=file, add_to_memory=remember)
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    count = len(split["train"])
    assert len(shop) == 48 + (count if remember else 0)
    assert len(shop.history()) == before + remember
    assert any("rows of the memory are new or changed" in n for n in report.notes) == remember
    held = {id.partition("/")[2] for id in split["test"] + split["validation"]}
    assert not held & {row.id for row in shop}  # what is judged on stays outside
    assert not (tmp_path / "run" / "work").exists()
    assert load(tmp_path / "run", shop).classify(draw(9, "red")).label == "red"


def test_a_table_beside_an_empty_memory(empty, tmp_path, file, encoder):
    encoder.looked = 0
    fitted_to(empty, tmp_path / "run", data=file)
    assert encoder.looked <= 48 + 2  # each picture once, and the probe of a fingerprint
    assert 0 < len(empty) < 48


def test_a_folder_of_class_folders(empty, tmp_path):
    for i in range(40):
        name = ("red", "blue")[i % 2]
        path = tmp_path / "classes" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(i, name, (48, 32)).save(path)
    report = fitted_to(empty, tmp_path / "run", data=tmp_path / "classes")
    assert open_run(tmp_path / "run").record["labels"] == ["blue", "red"]
    assert report.metrics["rows"]["with_retrieval"]["accuracy"]["value"] > 0.8


def test_tables_and_filters_for_the_parts(empty, tmp_path, file):
    other = table(tmp_path / "test.csv", shades(tmp_path / "tested", 12, first=300))
    fitted_to(empty, tmp_path / "run", data=file, test=other, validation='label = "red"')
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert len(split["test"]) == 12
    assert all(id.startswith("test/") for id in split["test"])
    assert split["how"] == 'validation: label = "red"; test: a table of its own'


def test_a_column_of_ones_own(shop, tmp_path):
    for row in list(shop):
        shop.update(row.id, columns={"house": "north" if row.label in ("red", "blue") else "south"})
    fitted_to(shop, tmp_path / "run", column="house")
    run = open_run(tmp_path / "run")
    assert run.record["labels"] == ["north", "south"]
    answer = load(tmp_path / "run", shop).classify(draw(9, "red"))
    assert answer.label == "north"
    assert answer.evidence[0].says == ("north",)


def test_unlabelled_rows_are_no_harm(shop, tmp_path):
    for row in list(shop)[::2]:
        shop.delete([row.id])
        shop.add([Example(row.id, row.path)])
    assert sum(row.label is None for row in shop) == 24
    for spread in ("yes", "auto"):
        report = fitted_to(shop, tmp_path / spread, propagate_labels=spread)
        assert sum(open_run(tmp_path / spread).record["parts"].values()) == 24
        assert report.metrics["rows"]["with_retrieval"]["accuracy"]["value"] > 0.7
    assert open_run(tmp_path / "yes").record["spread"] is True


# --- notes and sentences ---------------------------------------------------------------------


def notes(report: FitReport) -> str:
    return " | ".join(report.notes)


def test_a_class_with_one_example(shop, tmp_path):
    shop.add([Example("one", random_picture(1), label="lonely")])
    report = fitted_to(shop, tmp_path / "run")
    assert "1 labels have a single training picture, such as 'lonely'" in notes(report)
    assert "lonely" in open_run(tmp_path / "run").record["labels"]
    assert "single" not in notes(fitted_to(shop, tmp_path / "other", min_examples=2))
    assert "lonely" not in open_run(tmp_path / "other").record["labels"]


def test_labels_that_only_the_test_part_has(shop, tmp_path):
    for i in range(3):
        shop.add([Example(f"s{i}", random_picture(i), label="strange", columns={"number": 900})])
    where = "number > 40"
    report = fitted_to(shop, tmp_path / "run", test=where)
    assert "1 labels of the test split do not occur in training, such as 'strange'" in notes(report)
    count = shop.count(where)
    most = (count - 3) / count
    for row in report.metrics["rows"].values():
        assert row["accuracy"]["value"] <= most + 1e-9  # they count as missed


def test_a_damaged_picture_is_set_aside_and_counted(empty, tmp_path):
    examples = shades(tmp_path / "told", 40)
    Path(str(examples[3].picture)).write_bytes(b"\x89PNG no picture")
    report = fitted_to(empty, tmp_path / "run", data=table(tmp_path / "t.csv", examples))
    assert "1 pictures could not be read, such as " in notes(report)
    assert examples[3].id in notes(report)


def test_a_tiny_memory(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 6, ("red", "blue")))
    for model in ("vote", "linear"):
        report = fitted_to(empty, tmp_path / model, model=model, k=500)
        assert load(tmp_path / model, empty).classify(draw(9, "red"), k=500).label in (
            "red",
            "blue",
        )
        assert np.isfinite(report.metrics["rows"]["with_retrieval"]["log_loss"]["value"])


def test_a_tiny_memory_and_a_fusion_model(empty, tmp_path, language):
    empty.add(shades(tmp_path / "pictures", 6, ("red", "blue")))
    fitted_to(
        empty,
        tmp_path / "run",
        **FUSION | {"language_model": str(language), "epochs": 1, "num_evidence": 64},
    )
    assert load(tmp_path / "run", empty).classify(draw(9, "red")).label in ("red", "blue")


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"label": "same"}, {}, "There is nothing to tell apart: give pictures of at least two"),
        ({"label": None}, {}, "No picture that could be read has a label"),
        ({}, {"column": "nothing"}, "has a value in the column 'nothing'.*own columns: number"),
        ({}, {"test": "number > 9999"}, "names no labelled picture for test"),
        ({}, {"data": "gone.csv"}, "gone.csv"),
        ({}, {"test": "gone.csv"}, "There is no file gone.csv"),
        ({}, {"prompt_templates": ("no place",)}, "must hold {} once"),
    ],
)
def test_what_is_refused_can_be_asked_in_other_words(empty, tmp_path, changes, options, says):
    """In the same folder: nothing of the refused fit is left there."""
    empty.add([replace(e, **changes) for e in shades(tmp_path / "pictures")])
    versions = len(empty.history())
    with pytest.raises(DataError, match=says):
        fitted_to(empty, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
    assert len(empty.history()) == versions
    if not changes:
        fitted_to(empty, tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"k": -1}, "k is -1; it must be from 0 to 1000"),
        ({"k": 1001}, "k is 1001; it must be from 0 to 1000"),
        ({"model": "best"}, "model is 'best'; it must be one of auto, vote, linear, fusion"),
        ({"nonsense": 1}, "There is no setting 'nonsense'"),
        ({"config": "gone.yaml"}, "The settings in gone.yaml cannot be read"),
    ],
)
def test_settings_are_checked_before_anything_is_written(shop, tmp_path, settings, says):
    with pytest.raises(DataError, match=says):
        fitted_to(shop, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


# --- the folder ------------------------------------------------------------------------------


def test_a_finished_run_is_not_overwritten(fitted_once, tmp_path):
    before = {p: p.read_bytes() for p in (fitted_once / "linear").iterdir() if p.is_file()}
    with (
        Memory.open(fitted_once / "shop.ravl", ColourEncoder()) as memory,
        pytest.raises(DataError, match="holds a finished run. Name another folder with --out"),
    ):
        fitted_to(memory, fitted_once / "linear")
    assert {p: p.read_bytes() for p in before} == before


def test_a_folder_of_something_else_is_refused(shop, tmp_path):
    with pytest.raises(DataError, match="pictures is not empty. Name a new folder"):
        fitted_to(shop, tmp_path / "pictures")
    assert (tmp_path / "pictures" / "red_000.png").exists()


def test_an_interrupted_fit_goes_on(empty, tmp_path, file, monkeypatch, encoder):
    """Stopped before its report; it looks at no picture again, and tells the memory nothing new."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "ravl.tasks.labels.fit.judge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        fitted_to(empty, tmp_path / "run", data=file)
    assert not (tmp_path / "run" / "run.json").exists()
    with pytest.raises(DataError, match="holds a run that was interrupted and had other settings"):
        fitted_to(empty, tmp_path / "run", data=file, seed=9)
    encoder.looked, versions = 0, len(empty.history())
    report = fitted_to(empty, tmp_path / "run", data=file)
    assert encoder.looked == 0
    assert len(empty.history()) == versions
    with Memory.create(tmp_path / "other.ravl", ColourEncoder()) as other:
        whole = fitted_to(other, tmp_path / "whole", data=file)
    assert report.metrics["rows"] == whole.metrics["rows"]
    assert files(tmp_path / "run") - {"logs"} == files(tmp_path / "whole") - {"logs"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(shop, tmp_path):
    rows = [fitted_to(shop, tmp_path / str(i), seed=i // 2).metrics["rows"] for i in range(3)]
    splits = [json.loads((tmp_path / str(i) / "split.json").read_text()) for i in range(3)]
    assert rows[0] == rows[1]
    assert splits[0] == splits[1] != splits[2]


def test_a_report_as_json_and_lines(shop, tmp_path):
    report = fitted_to(shop, tmp_path / "run")
    record = json.loads(json.dumps(report.to_json()))
    assert (record["task"], record["chosen"]) == ("classify", "linear")
    text = "\n".join(report.summary())
    assert "zero-shot" in text and "fine-tuned, with retrieval" in text


def test_a_leak_would_show_in_the_report(empty, tmp_path, language):
    """Random labels, each picture twice: the fusion model must be at chance as well."""
    empty.add(leak(tmp_path / "leak", motifs=40))
    report = fitted_to(empty, tmp_path / "run", **FUSION | {"language_model": str(language)})
    for row in ROWS:
        assert report.metrics["rows"][row]["accuracy"]["value"] < 0.65
    shutil.rmtree(tmp_path / "run")
