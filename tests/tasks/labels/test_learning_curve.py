"""The learning curve of a run: what more pictures would be worth."""

from __future__ import annotations

import json

import pytest

from ravl.evaluation import Score
from ravl.tasks.fit import fit
from ravl.tasks.labels.learning_curve import LearningCurve, Point
from ravl.training.fit_report import FitReport
from tests.labelled import leak, shades
from tests.tasks.labels.test_self_training import clusters


def fitted(memory, out, task="classify", **options):
    report = fit(task, memory, out=out, model="linear", progress=False, **options)
    assert isinstance(report, FitReport)
    return report, json.loads((out / "metrics.json").read_text())


def test_more_pictures_of_overlapping_kinds_help(empty, tmp_path):
    empty.add(clusters(600, 600, noise=4.0))
    report, metrics = fitted(empty, tmp_path / "run")
    curve = metrics["learning_curve"]
    assert curve["measure"] == "accuracy"
    counts = [point["pictures"] for point in curve["points"]]
    parts = json.loads((tmp_path / "run" / "split.json").read_text())
    whole = len(parts["train"]) + len(parts["validation"])
    assert counts[-1] == whole
    assert counts[0] == pytest.approx(whole / 4, rel=0.2)
    assert counts[1] == pytest.approx(whole / 2, rel=0.2)
    last, rows = curve["points"][-1], metrics["rows"]
    assert last["with_retrieval"] == rows["with_retrieval"]["accuracy"]["value"]
    assert last["no_retrieval"] == rows["no_retrieval"]["accuracy"]["value"]
    assert curve["points"][0]["no_retrieval"] < last["no_retrieval"]
    assert curve["more"] == whole
    assert curve["gain"]["low"] <= curve["gain"]["value"] <= curve["gain"]["high"]
    assert any(note.startswith("Learning curve: accuracy with") for note in report.notes)
    assert "Test accuracy" in (tmp_path / "run" / "report.html").read_text()


def test_labels_by_chance_gain_nothing_by_more_of_them(empty, tmp_path):
    empty.add(leak(tmp_path / "leak", motifs=240, copies=False))
    gain = fitted(empty, tmp_path / "run")[1]["learning_curve"]["gain"]
    assert gain["low"] < 0.05


def test_tags_have_one_too(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 160))
    curve = fitted(empty, tmp_path / "run", "tag")[1]["learning_curve"]
    assert curve["measure"] == "mAP"
    assert curve["points"][-1]["with_retrieval"] > 0.9


def test_few_pictures_have_none(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 48))
    assert "learning_curve" not in fitted(empty, tmp_path / "run")[1]


def test_the_sentence():
    points = [Point(100, 0.5, 0.6), Point(200, 0.55, 0.65), Point(400, 0.6, 0.7)]
    curve = LearningCurve("accuracy", "picture", points, 400, Score(0.051, -0.012, 0.1))
    assert curve.note() == (
        "Learning curve: accuracy with 100, 200, 400 pictures is 60.0 %, 65.0 %, 70.0 % with "
        "retrieval, and 50.0 %, 55.0 %, 60.0 % without. 400 more pictures like these would add "
        "about +5.1 points (-1.2 to +10)."
    )
