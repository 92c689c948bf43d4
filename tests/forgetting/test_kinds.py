"""No kind of file is written that forgetting does not know of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ravl.cli import cli
from ravl.drift import detect_drift
from ravl.exports.run import export_run
from ravl.forgetting.kinds import RUN, kind_beside
from ravl.forgetting.scan import beside
from ravl.memory import Memory
from ravl.refitting import refit, rollback
from ravl.serving.audit import Audit
from ravl.serving.metrics import Metrics
from ravl.serving.monitor import Monitor
from ravl.store.sqlite.feedback import Entry, FeedbackStore
from ravl.store.sqlite.feedback import beside as feedback_beside
from tests.forgetting.known import unknown_files
from tests.helpers import ColourEncoder, draw
from tests.labelled import shades
from tests.once import made_once
from tests.refitting.shop import fitted as fit_run
from tests.refitting.shop import grow

OTHERS = ("pictures",)  # the user's own folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, fitted_once: Path) -> Path:
    """A memory, and all that ravl writes for it: runs, versions, exports, logs, feedback, pages."""

    def make(folder: Path) -> None:
        for name in ("fusion", "tags"):
            shutil.copytree(fitted_once / name, folder / name)
        with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
            memory.add(shades(folder / "pictures"))
            run = fit_run(memory, folder / "kinds")
            grow(memory, ("red", "purple"), 16, 300)
            refit(run, memory, promote="always")
            rollback(run)
            export_run(folder / "fusion", folder / "onnx", memory=memory, sample=4)
            memory.export(folder / "rows")
            memory.export(folder / "table", "parquet")
            then, now = ([draw(i, colour) for i in range(30)] for colour in ("red", "blue"))
            detect_drift(run, now, reference=then, memory=memory)
        audit = Audit(folder / "shop.ravl.audit")
        audit.write(caller="ann", request="1", what="row.update", id="red_001.png")
        audit.close()
        feedback = FeedbackStore(feedback_beside(folder / "shop.ravl"))
        given = Entry(who="ann", task="classify", run="kinds", answer="red", verdict="accepted")
        feedback.add(given, b"picture")
        watch = Monitor(folder / "shop.ravl.drift", [], Metrics())
        watch._unsaved = 1
        watch.close()
        assert sorted(f.name for f in folder.iterdir() if "feedback" in f.name)
        feedback.close()

    return made_once(tmp_path_factory, "everything", make)


def test_every_file_beside_a_memory_is_of_a_known_kind(tree: Path) -> None:
    names = [file.name for file in tree.iterdir() if file.is_file()]
    assert {"shop.ravl", "shop.ravl.audit", "shop.ravl.feedback", "shop.ravl.drift"} <= set(names)
    for name in names:
        assert kind_beside(name, "shop.ravl"), f"{name}: ravl.forgetting.kinds.BESIDE needs a line"
    for name in ("shop.ravl-wal", "shop.ravl.feedback-wal", ".shop.ravl.at-3-0a1b2c3d"):
        assert kind_beside(name, "shop.ravl")
    assert kind_beside("notes.txt", "shop.ravl") is None


def test_every_file_of_a_run_is_of_a_known_kind(tree: Path) -> None:
    runs = [place for place in tree.iterdir() if place.is_dir() and place.name not in OTHERS]
    assert {place.name for place in runs} == {"fusion", "tags", "kinds", "onnx", "rows", "table"}
    assert set(beside(tree / "shop.ravl")) == set(runs), "a run near the memory is not found"
    for run in runs:
        assert not unknown_files(run), f"{run.name}: ravl.forgetting.kinds.RUN needs a line"
    assert all(kind.remedy or not kind.holds for kind in RUN)


def test_an_unfinished_fit_is_found(tmp_path: Path) -> None:
    (tmp_path / "run" / "work").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}", "utf-8")
    (tmp_path / "deep" / "er" / "run").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "run" / "run.json").write_text("{}", "utf-8")
    assert beside(tmp_path / "m.ravl") == [tmp_path / "deep" / "er" / "run", tmp_path / "run"]


def test_the_command_writes_no_files(tree: Path, tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in tree.rglob("*") if file.is_file()}
    done = CliRunner().invoke(cli, ["forget", str(tree / "shop.ravl"), "red_001.png", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert {file: file.stat().st_mtime_ns for file in before} == before
