"""A run answers only with the files that its fit wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.runs.files import check_files, hashes_of_run
from ravl.runs.run import add_hashes, open_run


def flip(file: Path) -> None:
    """Change one bit; size and times stay."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_what_is_hashed(fitted_once: Path) -> None:
    record = json.loads((fitted_once / "fusion" / "run.json").read_text("utf-8"))
    names = set(record["files"])
    there = {f.relative_to(fitted_once / "fusion") for f in (fitted_once / "fusion").rglob("*.*")}
    assert "predictor.safetensors" in names
    assert names == {"predictor.safetensors"} | {
        name.as_posix() for name in there if name.parts[0] == "fusion"
    }


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("vote", "predictor.safetensors"),
        ("fusion", "predictor.safetensors"),
        ("fusion", "fusion/model.safetensors"),
        ("fusion", "fusion/config.json"),
    ],
)
def test_a_file_that_has_changed_is_refused(fitted: Path, run: str, name: str) -> None:
    assert open_run(fitted / run).task == "classify"
    flip(fitted / run / name)
    with pytest.raises(DataError, match=r"damaged: its SHA-256 is .*, not .*Fit the run again"):
        open_run(fitted / run)
    assert open_run(fitted / run, verify=False).task == "classify"
    (fitted / run / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing or damaged: it is not there"):
        open_run(fitted / run)


def test_what_may_change(fitted: Path) -> None:
    run = fitted / "linear"
    for name in ("report.html", "README.md", "reference.json", "settings.yaml", "metrics.json"):
        (run / name).write_text("{}", "utf-8")
    (run / "held.ravl").write_bytes(b"")
    (run / "notes.txt").write_text("my own", "utf-8")
    assert open_run(run).task == "classify"


def test_a_run_of_an_older_ravl_has_no_hashes(fitted: Path) -> None:
    file = fitted / "linear" / "run.json"
    record = json.loads(file.read_text("utf-8"))
    del record["files"]
    file.write_text(json.dumps(record), "utf-8")
    flip(fitted / "linear" / "predictor.safetensors")
    assert open_run(fitted / "linear").task == "classify"


@pytest.mark.parametrize("odd", [None, [], {"a": 1}, {"a": {"size": 1}}, {"../b": None}])
def test_odd_hashes_are_a_sentence(fitted: Path, odd: object) -> None:
    file = fitted / "linear" / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "files": odd}), "utf-8")
    with pytest.raises(DataError, match=r"run.json is damaged"):
        open_run(fitted / "linear")


def test_a_version_that_takes_its_place_meanwhile(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has the old run.json when a refit exchanges all files."""
    folder = tmp_path / "run"
    shutil.copytree(fitted / "vote", folder)

    def exchanged(*given: object) -> None:
        monkeypatch.setattr("ravl.runs.run.check_files", check_files)
        shutil.copytree(fitted / "linear", folder, dirs_exist_ok=True)
        check_files(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("ravl.runs.run.check_files", exchanged)
    assert open_run(folder).record["level"] == "linear"


def test_a_run_that_was_put_together_anew(fitted: Path) -> None:
    flip(fitted / "linear" / "predictor.safetensors")
    add_hashes(fitted / "linear")
    record = open_run(fitted / "linear").record
    assert record["files"].keys() == hashes_of_run(fitted / "linear").keys()
