from __future__ import annotations

from pathlib import Path

import pytest

from ravl.cli import main
from ravl.memory import Memory
from tests.sharing.hand_made import make_run


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[str, str, int]:
    code = 0
    try:
        main([str(a) for a in arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return out, err, code


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "shirts", weights_pkl="code")
    out, err, code = said(capsys, "push", run, tmp_path / "place")
    assert code == 0
    place = tmp_path / "place"
    assert out.startswith(f"run shirts: 5 files (0.0 MB) -> {place}\n")
    assert f"ravl pull {place} shirts" in out
    assert "shop.ravl, does not go along" in err
    assert "weights.pkl" in err
    out, err, code = said(capsys, "pull", place, tmp_path / "here")
    assert out.endswith(f"It is in {tmp_path / 'here'}\n")
    out, err, code = said(capsys, "pull", place, tmp_path / "here")
    assert "0 files (0.0 MB), 5 unchanged" in out


def test_a_memory_is_named_as_it_is_used(
    memory: Memory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "push", memory.path, tmp_path / "place", "-q", "--with-pictures") == (
        "",
        "",
        0,
    )
    out, _, _ = said(capsys, "pull", tmp_path / "place", tmp_path / "here")
    assert f"It is in {tmp_path / 'here' / 'test.ravl'}" in out


def test_errors_are_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err, code = said(capsys, "pull", tmp_path / "nothing", tmp_path / "here")
    assert (out, code) == ("", 1)
    assert err.startswith("ravl: There is nothing to pull at")
