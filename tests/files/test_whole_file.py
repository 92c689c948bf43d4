"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from ravl.files.whole_file import HALF, whole_file, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    write_text(file, "é\r\n")
    assert file.read_bytes() == "é\r\n".encode()
    write_bytes(file, b"2")
    assert (file.read_bytes(), names(tmp_path)) == (b"2", ["a.html"])


def test_a_library_may_write_it_by_its_name(tmp_path: Path) -> None:
    for name in ("a.npy", "b.npz"):
        with whole_file(tmp_path / name) as half:
            (np.save if name == "a.npy" else np.savez)(half, np.arange(3))
    assert names(tmp_path) == ["a.npy", "b.npz"]
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]


def test_an_error_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(KeyError), whole_file(file) as half:
        half.write_text("new")
        raise KeyError
    assert (file.read_text(), names(tmp_path)) == ("old", ["a.txt"])
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "missing" / "a.txt", "new")


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f"{HALF}a.txt").write_text("much longer than what is written now")
    write_text(tmp_path / "a.txt", "new")
    assert ((tmp_path / "a.txt").read_text(), names(tmp_path)) == ("new", ["a.txt"])


def test_a_linked_file_stays_linked_and_a_hard_link_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "a.txt"
    real.write_text("old")
    (tmp_path / "link.txt").symlink_to(real)
    os.link(real, tmp_path / "version.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and real.read_text() == "new"
    assert (tmp_path / "version.txt").read_text() == "old"


def test_a_device_is_written_as_it_is() -> None:
    write_text(Path(os.devnull), "gone")
    assert not Path(os.devnull).is_file()


def test_two_writers_take_turns(tmp_path: Path) -> None:
    file, begun, go_on = tmp_path / "a.txt", threading.Event(), threading.Event()

    def first() -> None:
        with whole_file(file) as half:
            half.write_text("1" * 100)
            begun.set()
            go_on.wait()

    def second() -> None:
        begun.wait()
        go_on.set()  # what it writes itself comes after what the first has begun
        write_text(file, "2")

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (file.read_text(), names(tmp_path)) == ("2", ["a.txt"])
