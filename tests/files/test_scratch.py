"""Temporary folders, also those of processes that were killed."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from ravl.files.scratch import PREFIX, scratch_folder
from ravl.memory import Memory
from ravl.sharing.push import push
from ravl.sharing.remotes import FsspecPlace
from tests.helpers import ColourEncoder, make_examples


def test_a_folder_lives_as_long_as_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as one, scratch_folder(tmp_path) as other:
        assert one != other
        (one / "file").write_text("text")
        assert list(other.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_other_folders_stay(tmp_path: Path) -> None:
    """Only what a process of ravl locked and left is removed."""
    (tmp_path / f"{PREFIX}of-another").mkdir()
    (tmp_path / "mine").mkdir()
    with scratch_folder(tmp_path):
        pass
    assert {each.name for each in tmp_path.iterdir()} == {f"{PREFIX}of-another", "mine"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the push is a fork of this process")
def test_the_copy_of_a_killed_push_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))

    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if not (child := os.fork()):
        monkeypatch.setattr(FsspecPlace, "send", killed)
        push(tmp_path / "shop.ravl", tmp_path / "place", progress=False)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [p.name for p in room.rglob("*.ravl")] == ["shop.ravl"], "the copy was left"
    push(tmp_path / "shop.ravl", tmp_path / "place", progress=False)
    assert list(room.iterdir()) == []
