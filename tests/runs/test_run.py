"""The run's folder: written, found again, and refused where it does not fit its memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravl
from ravl.errors import DataError, EncoderMismatchError, MemoryFileError
from ravl.memory import Memory
from ravl.runs.run import (
    FORMAT,
    about_memory,
    add_hashes,
    open_memory,
    open_run,
    write_json,
    write_run,
)
from ravl.tasks.labels.files import load_label_predictor
from ravl.tasks.model import load
from tests.helpers import ColourEncoder, trained_on

RUNS = ("vote", "linear", "fusion", "tags", "tagvote")


def edit(folder, **changes) -> None:
    file = folder / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def watched(monkeypatch) -> list[Path]:
    """The memories that are closed from now on."""
    closed: list[Path] = []
    close = Memory.close

    def note(self: Memory) -> None:
        closed.append(self.path)
        close(self)

    monkeypatch.setattr(Memory, "close", note)
    return closed


def test_what_is_written_is_read(memory, tmp_path):
    parts: dict[str, Any] = {
        "head": {"weight": np.ones((2, 3)), "bias": np.zeros(0)},
        "a": {"b.c": np.ones(1)},
    }
    about = {"encoder": {"spec": "colour"}, "memory": about_memory(memory, tmp_path)}
    write_run(tmp_path, {"task": "classify", **about}, parts)
    run = open_run(tmp_path)
    assert run.task == "classify"
    assert run.memory == memory.path
    found = run.arrays()
    assert found["head"]["weight"].tolist() == [[1, 1, 1]] * 2
    assert found["head"]["bias"].shape == (0,)
    assert found["a"]["b.c"].dtype == np.float32
    assert run.record["format"] == FORMAT
    assert run.record["memory"]["version"] == memory.history(limit=1)[0].number


def test_json_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "x.json", {"a": "é"})
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == {"a": "é"}


@pytest.mark.parametrize("name", RUNS)
def test_a_loaded_predictor_is_the_one_that_was_saved(fitted_once, name):
    predictor = load_label_predictor(open_run(fitted_once / name))
    record = json.loads((fitted_once / name / "run.json").read_text())
    assert predictor.labels == record["labels"]
    assert predictor.vote.to_json() == record["vote"]
    assert (predictor.reader is not None) == (name == "fusion")
    assert (predictor.head is None) == ("vote" in name)
    assert predictor.calibration is not None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda f: shutil.rmtree(f), "holds no fitted run. Name the folder that ravl fit wrote"),
        (lambda f: (f / "run.json").unlink(), "holds no fitted run"),
        (lambda f: [(f / "run.json").unlink(), (f / "encoder").mkdir()], "a trained retriever, wh"),
        (lambda f: (f / "run.json").write_text("{"), "run.json is damaged .*Fit the run again"),
        (lambda f: (f / "run.json").write_text("[]"), "run.json is damaged"),
        (lambda f: (f / "run.json").write_text("{}"), "run.json is damaged"),
        (lambda f: (f / "run.json").write_bytes(b"\xff\xfe\x00"), "run.json is damaged"),
        (lambda f: edit(f, format="x"), "run.json is damaged"),
        (lambda f: edit(f, format=FORMAT + 1), r"was made by a newer ravl \(format \d+\). Update"),
        (lambda f: (f / "predictor.safetensors").unlink(), "is missing or damaged.*Fit the run"),
        (lambda f: (f / "predictor.safetensors").write_bytes(b"xx"), "is missing or damaged"),
    ],
)
def test_a_damaged_run_is_a_sentence(fitted, make, says):
    make(fitted / "linear")
    with (
        Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory,
        pytest.raises(DataError, match=says),
    ):
        load(fitted / "linear", memory)


def test_an_interrupted_fit_says_so(fitted):
    (fitted / "linear" / "run.json").unlink()
    (fitted / "linear" / "work").mkdir()
    with pytest.raises(DataError, match="Its fit was interrupted: repeat the command"):
        open_run(fitted / "linear")


def test_a_damaged_run_closes_the_memory_that_it_opened(fitted, by_name, monkeypatch):
    closed = watched(monkeypatch)
    (fitted / "linear" / "predictor.safetensors").unlink()
    add_hashes(fitted / "linear")
    with pytest.raises(DataError, match="predictor.safetensors is damaged .No such file"):
        load(fitted / "linear")
    assert closed == [fitted / "shop.ravl"]


def test_run_and_memory_move_together(fitted, by_name, fitted_once):
    """The folder was copied: the run finds the memory that lies beside it."""
    with load(fitted / "linear") as model:
        assert model.memory.path == fitted / "shop.ravl"


def test_a_memory_that_has_moved_is_named(fitted, by_name, tmp_path):
    edit(fitted / "linear", memory={"path": "/gone/shop.ravl", "relative": "../gone.ravl"})
    with pytest.raises(MemoryFileError, match="is not there. If it has moved, name it with --mem"):
        load(fitted / "linear")
    moved = shutil.move(fitted / "shop.ravl", tmp_path / "elsewhere.ravl")
    with load(fitted / "linear", moved) as model:
        assert model.classify(fitted / "pictures" / "red_000.png").label == "red"
    with pytest.raises(MemoryFileError, match="is not there"):
        load(fitted / "linear", tmp_path / "nowhere.ravl")


@pytest.mark.parametrize("name", RUNS)
def test_another_tower_is_refused(fitted, name):
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        memory.reembed(ColourEncoder(mirror=True))
        with pytest.raises(
            EncoderMismatchError,
            match=r"was fitted with the encoder 'colour'.*now "
            r"has 'colour'.*Fit again with ravl fit (classify|tag)",
        ):
            load(fitted / name, memory)


def test_a_mismatch_closes_the_memory_that_it_opened(fitted, by_name, monkeypatch):
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        memory.reembed(trained_on(ColourEncoder()))
    closed = watched(monkeypatch)
    with pytest.raises(EncoderMismatchError):
        open_memory(open_run(fitted / "fusion"), None, exact=True)
    assert closed == [fitted / "shop.ravl"]


def test_after_the_retriever_was_trained_only_fusion_runs_are_refused(fitted):
    """New heads on the same tower: keys and features stay, text vectors do not."""
    picture = fitted / "pictures" / "green_001.png"
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        before = {
            n: load(fitted / n, memory).predictor.predict([picture])[0]
            for n in RUNS
            if n != "fusion"
        }
        memory.reembed(trained_on(ColourEncoder()))
        for name, old in before.items():
            new = load(fitted / name, memory).predictor.predict([picture])[0]
            assert new.scores == pytest.approx(old.scores, abs=2e-3)
            assert [e.id for e in new.evidence] == [e.id for e in old.evidence]
        with pytest.raises(EncoderMismatchError, match="was fitted with the encoder"):
            load(fitted / "fusion", memory)


def test_load_is_at_the_top(fitted_once):
    assert ravl.load is load


def test_a_run_that_lacks_an_array_is_a_sentence(fitted):
    from safetensors.numpy import load_file, save_file

    from ravl.runs.run import ARRAYS

    run = open_run(fitted / "linear")
    arrays = load_file(run.folder / ARRAYS)
    save_file({k: v for k, v in arrays.items() if not k.startswith("gate.")}, run.folder / ARRAYS)
    with pytest.raises(DataError, match="is damaged .*gate.*Fit the run again"):
        load_label_predictor(run)
