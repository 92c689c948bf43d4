from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.files.lock import LOCK
from ravl.memory import Memory
from ravl.refitting import attempt, refit, rollback
from ravl.refitting import triggers as drift
from ravl.refitting.log import read_log
from ravl.runs.run import open_run, write_run
from ravl.tasks.model import Model
from ravl.training import engine
from tests.forgetting.known import unknown_files
from tests.helpers import ColourEncoder
from tests.labelled import shades, table
from tests.refitting.shop import fitted, grow, relabel
from tests.training.painted_labels import FUSION
from tests.waiting import pause


def known(run, memory):
    with Model(run, memory) as model:
        return model.predictor.label_predictor.labels


def wrongly_fitted(shop, folder, **how):
    """A run of labels that have been set right since, all but its model."""
    relabel(shop, 1)
    run = fitted(shop, folder, **how)
    relabel(shop, 3)
    opened = open_run(run)  # what votes right is not listened to
    parts = opened.arrays()
    parts["gate"]["weights"] = np.array([-60, 0, 0, 0, 0, 0, 0], np.float32)
    write_run(run, opened.record, parts)
    return run


def test_nothing_new_is_no_attempt(run, shop, tmp_path):
    before = {f.name for f in run.iterdir()}
    report = refit(run, shop)
    assert (report.state, report.reason) == ("nothing", "Nothing is new since the last fit.")
    assert {f.name for f in run.iterdir()} == before
    assert read_log(run) == []


def test_what_is_better_is_promoted(shop, tmp_path):
    run = wrongly_fitted(shop, tmp_path / "run")
    grow(shop, ("purple",), 10, 300)
    report = refit(run, shop)
    assert report.state == "promoted", report.reason
    assert "better by more than chance: accuracy +" in report.reason
    assert "purple" in known(run, shop)
    entry = read_log(run)[0]
    assert entry["champion"] == 1 and entry["version"] == report.version == 2
    assert entry["changed"] > 20 and entry["labels"] == {"purple": 10}
    gain = entry["scores"]["together"]["difference"]["accuracy"]
    assert gain["low"] > 0
    assert set(entry["scores"]) == {"together", "frozen", "newest"}
    assert set(entry["scores"]["frozen"]) == {"champion", "challenger", "difference"}
    page = (run / entry["page"]).read_text("utf-8")
    for words in ("Promoted.", "From wrong to right", "a new label", "The frozen test split"):
        assert words in page
    assert (run / "README.md").read_text("utf-8").count("# run\n") == 1
    assert refit(run, shop).state == "nothing"
    rollback(run)
    assert "purple" not in known(run, shop)
    again = refit(run, shop)
    assert again.state == "nothing", "a rollback is not undone by the next refit"
    grow(shop, ("purple",), 4, 400)
    assert refit(run, shop, promote="always").version == 3


def test_what_is_as_good_is_not(run, shop, tmp_path):
    grow(shop, ("red", "green"), 12, 300)
    before = (run / "predictor.safetensors").read_bytes()
    report = refit(run, shop)
    assert report.state == "kept"
    assert "not better by more than chance" in report.reason
    assert (run / "predictor.safetensors").read_bytes() == before
    assert not (run / "history").exists() and not list(run.glob("work-*"))
    assert refit(run, shop).reason.startswith("Nothing is new since the refit of 2")
    assert len(read_log(run)) == 1
    assert refit(run, shop, promote="always").state == "promoted"


def test_the_frozen_part_is_never_learned_from(run, shop, tmp_path):
    held = set(json.loads((run / "split.json").read_text())["hashes"]["test"])
    for first in (300, 400):
        grow(shop, ("red", "purple"), 20, first)
        report = refit(run, shop, promote="always")
        split = json.loads((run / "split.json").read_text())["hashes"]
        assert held < set(split["test"])
        assert not held & {*split["train"], *split["validation"]}
        assert report.news["frozen"] == len(held)
        held = set(split["test"])


def test_forgotten_rows_are_not_learned_from(run, shop, tmp_path):
    split = json.loads((run / "split.json").read_text())
    shop.delete(split["train"][:3])
    report = refit(run, shop, promote="always")
    assert report.news["gone"] == 3 and "newest" not in report.scores
    now = json.loads((run / "split.json").read_text())
    assert set(now["train"]) == set(split["train"][3:])


@pytest.mark.parametrize("model", ["vote", pytest.param("auto", marks=pytest.mark.slow)])
def test_other_levels(shop, tmp_path, model, language):
    small = {**FUSION, "language_model": str(language), "epochs": 1} if model == "auto" else {}
    run = fitted(shop, tmp_path / "run", **{**small, "model": model})
    grow(shop, ("purple", "red"), 20, 300)
    assert refit(run, shop, promote="always").state == "promoted"
    assert refit(run, shop).state == "nothing"


def test_tags(shop, tmp_path):
    run = fitted(shop, tmp_path / "run", task="tag")
    examples = shades(tmp_path / "pictures", 20, ("white", "blue"), 300)
    shop.add([type(e)(e.id, e.picture, tags=(*e.tags, "late")) for e in examples])
    report = refit(run, shop, promote="always")
    assert report.state == "promoted"
    assert "late" in known(run, shop)
    assert "mAP" in report.scores["together"]["difference"]


def test_fusion_goes_on_from_its_weights(shop, tmp_path, language):
    run = fitted(shop, tmp_path / "run", **{**FUSION, "language_model": str(language)})
    with Model(run, shop) as model:
        old = {
            k: v.clone()
            for k, v in model.predictor.label_predictor.reader.model.state_dict().items()
        }
        names = list(model.predictor.label_predictor.labels)
    grow(shop, ("purple", "red"), 16, 300)
    settings = (run / "settings.yaml").read_text()
    assert refit(run, shop, promote="always").state == "promoted"
    assert (run / "settings.yaml").read_text() == settings, "the lower rate is of this fit alone"
    with Model(run, shop) as model:
        new = model.predictor.label_predictor.reader.model.state_dict()
        places = [model.predictor.label_predictor.labels.index(name) for name in names]
    for name in ("picture.weight", "near_label.weight"):
        far = (new[name] - old[name]).abs().mean() / old[name].abs().mean()
        assert 0 < far < 0.5, "a new one would be as far away as it is large"
    near = new["out.weight"][places] - old["out.weight"]
    assert near.abs().mean() < 0.7 * old["out.weight"].abs().mean()


def test_a_run_of_a_table(shop, tmp_path):
    file = table(tmp_path / "labels.csv", shades(tmp_path / "others", 40, first=400))
    run = fitted(shop, tmp_path / "run", data=file)
    for first in (600, 700):
        grow(shop, ("purple", "red"), 16, first)
        report = refit(run, shop, promote="always")
        assert report.state == "promoted" and report.news["new"] == 16
        with Memory.open(run / "held.ravl", ColourEncoder()) as held:
            shown = {row.hash for row in shop}
            assert len(held) and not shown & {row.hash for row in held}
        assert not list(run.glob("work-*"))
        assert not unknown_files(run)
        assert refit(run, shop).state == "nothing"


def test_triggers(run, shop, tmp_path, monkeypatch):
    grow(shop, ("red", "green"), 12, 300)
    waiting = refit(run, shop, if_new=13)
    assert waiting.state == "waiting"
    assert "12 pictures were labelled since, fewer than 13" in waiting.reason
    assert refit(run, shop, if_new=12, dry_run=True).state == "dry"
    assert read_log(run) == []
    assert refit(run, shop, if_new=12).state == "kept"
    grow(shop, ("red", "green"), 5, 400)
    assert "5 pictures were" in refit(run, shop, if_new=12).reason
    assert refit(run, shop, if_new=5, dry_run=True).state == "dry"
    monkeypatch.setattr(drift, "has_drifted", lambda *_: False)
    assert "like those before" in refit(run, shop, if_drift=True).reason
    assert refit(run, shop, if_drift=True, if_new=5, dry_run=True).state == "dry"
    monkeypatch.setattr(drift, "has_drifted", lambda *_: True)
    assert refit(run, shop, if_drift=True, if_new=50, dry_run=True).state == "dry"


def test_drift_is_told_of_what_came_in(shop, tmp_path):
    run = fitted(shop, tmp_path / "run", test_share=0.5)
    with Model(run, shop) as model:
        assert model.run is not None
        since = model.run.record["memory"]["version"]
        assert not drift.has_drifted(model, since), "nothing came in"
        shop.add([type(e)(e.id, e.picture) for e in shades(tmp_path / "p", 30, ("purple",), 500)])
        assert drift.has_drifted(model, since)


def test_one_at_a_time(run, shop, tmp_path):
    grow(shop, ("red",), 4, 300)
    with (run / LOCK).open("w") as file:
        file.write("process 7, since noon")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        report = refit(run, shop)
        assert report.state == "busy"
        assert f"Another process works in {run.resolve()} (process 7, since noon)." in report.reason
        with pytest.raises(DataError, match=r"\(process 7, since noon\)\. Repeat the command"):
            rollback(run)
    assert refit(run, shop).state == "kept"


def test_what_is_refused(run, shop, tmp_path):
    for how in ({"promote": "sometimes"}, {"replay": -1}, {"newest": 1}, {"if_new": -1}):
        with pytest.raises(DataError, match=r"must"):
            refit(run, shop, **how)


def test_interrupted_between_fit_and_promotion_it_does_not_fit_again(
    run, shop, tmp_path, monkeypatch
):
    grow(shop, ("purple", "red"), 16, 300)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "compared", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refit(run, shop, promote="always")
    assert known(run, shop) == ["blue", "green", "red", "yellow"]
    with monkeypatch.context() as patch:
        patch.setattr(engine, "fit", lambda *_, **__: 1 / 0)
        assert refit(run, shop, promote="always").state == "promoted"
    assert "purple" in known(run, shop)


def test_what_was_begun_with_other_rows_is_begun_anew(run, shop, tmp_path, monkeypatch):
    grow(shop, ("purple", "red"), 16, 300)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "compared", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refit(run, shop)
    grow(shop, ("white",), 6, 400)
    assert refit(run, shop, promote="always").state == "promoted"
    assert "white" in known(run, shop)
    assert not list(run.glob("work-*"))


@pytest.mark.parametrize("left", [["work"], ["metrics.json", "config.json", "work"]])
def test_cut_off_at_the_ends_of_the_fit(run, shop, tmp_path, monkeypatch, left):
    grow(shop, ("purple", "red"), 16, 300)

    def cut(*args, **kwargs):
        out = args[1]
        out.mkdir()
        for name in left:
            (out / name).write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "fit", cut)
        with pytest.raises(KeyboardInterrupt):
            refit(run, shop, promote="always")
    assert refit(run, shop, promote="always").state == "promoted"


CHILD = """
import sys
from ravl.memory import Memory
from ravl.refitting import refit
from tests.helpers import ColourEncoder
with Memory.open(sys.argv[1], ColourEncoder()) as memory:
    print("ready", flush=True)
    refit(sys.argv[2], memory, promote="always", progress=False)
print("done", flush=True)
"""


def test_kill_9_in_the_middle(run, shop, tmp_path):
    grow(shop, ("purple", "red"), 16, 300)
    for delay in (0.3, 0.9):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(shop.path), str(run)],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        pause(delay)  # any moment will do
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert set(known(run, shop)) >= {"blue", "green", "red", "yellow"}
    report = refit(run, shop, promote="always")
    assert report.state in ("promoted", "nothing")  # the lock has gone with the process
    assert "purple" in known(run, shop)
