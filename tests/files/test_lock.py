"""One process at a time in a folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.files.lock import LOCK, BusyError, is_empty, locked

HOLD = """
import sys
from pathlib import Path
from ravl.files.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that works in a folder."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_the_second_process_is_told_who_is_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    other = hold(folder)
    try:
        said = rf"Another process works in {folder} \(process {other.pid}, since 2.*\)\. Repeat"
        with pytest.raises(BusyError, match=said), locked(folder):
            pass
        assert issubclass(BusyError, DataError) and is_empty(folder)
    finally:
        other.communicate("")
    with locked(folder):  # it has ended
        assert (folder / LOCK).exists()
    assert not folder.exists()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    other = hold(folder)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert (folder / LOCK).exists()
    with locked(folder):
        (folder / "a").touch()
    assert [p.name for p in folder.iterdir()] == ["a"]


def test_an_error_ends_it(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), locked(tmp_path):
            raise KeyError
    assert is_empty(tmp_path) and tmp_path.exists()


def test_a_folder_that_is_made_beside_its_lock(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder, beside=True):
        assert not folder.exists()
        with pytest.raises(BusyError), locked(folder, beside=True):
            pass
    assert is_empty(tmp_path)
    folder.mkdir()
    with pytest.raises(BusyError, match="has made the folder"), locked(folder, beside=True):
        pass


def test_an_error_inside_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), locked(tmp_path):
        raise BlockingIOError
