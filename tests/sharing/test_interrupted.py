"""Pushes and pulls that are killed: nothing is taken for whole, and the next one goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.sharing import manifest
from ravl.sharing import remotes as places
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from tests.helpers import database_of
from tests.sharing.hand_made import make_run

KILLED = """
import os, signal, sys
import ravl
from ravl.sharing import {module}
real, count = {module}.{function}, 0
def until_the_third(*arguments):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
{module}.{function} = until_the_third
ravl.{what}(sys.argv[1], sys.argv[2])
"""


def killed(what: str, function: str, source: Path, target: Path, module: str = "remotes") -> None:
    code = KILLED.format(what=what, function=function, module=module)
    done = subprocess.run([sys.executable, "-c", code, str(source), str(target)], timeout=600)
    assert done.returncode == -signal.SIGKILL


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_killed_push(tmp_path: Path) -> None:
    run, place = make_run(tmp_path / "run"), tmp_path / "place"
    killed("push", "settle", run, place)
    with pytest.raises(DataError, match="has not ended"):
        pull(place, tmp_path / "here")
    push(run, place)
    pull(place, tmp_path / "here")
    assert names(tmp_path / "here") == {*names(run), "ravl.json"}


def test_a_killed_update_and_the_old_state_again(tmp_path: Path) -> None:
    """What the first half of the update replaced is not taken for what it was before."""
    run, place = make_run(tmp_path / "run", a_md="1", b_md="1", c_md="1"), tmp_path / "place"
    push(run, place)
    make_run(run, a_md="2", b_md="2", c_md="2")
    killed("push", "settle", run, place)
    make_run(run, a_md="1", b_md="1", c_md="1")
    push(run, place)
    pull(place, tmp_path / "here")
    assert [(tmp_path / "here" / f"{n}.md").read_text() for n in "abc"] == ["1", "1", "1"]


def test_a_killed_pull_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, place, here = make_run(tmp_path / "run"), tmp_path / "place", tmp_path / "here"
    push(run, place)
    killed("pull", "copy", place, here)
    assert not here.exists()
    assert len(names(tmp_path / ".here.pulling")) == 3  # two, and the one that was under way
    fetched: list[int] = []
    real = manifest.copy

    def counted(source: Any, target: Any, size: int, advance: Any) -> Any:
        fetched.append(size)
        return real(source, target, size, advance)

    monkeypatch.setattr(places, "copy", counted)
    pull(place, here)
    assert len(fetched) == 3  # of five
    assert names(here) == {*names(run), "ravl.json"}
    assert not (tmp_path / ".here.pulling").exists()


@pytest.mark.parametrize("update", [False, True])
def test_killed_while_files_are_put_in_place(tmp_path: Path, update: bool) -> None:
    run, place, here = make_run(tmp_path / "run"), tmp_path / "place", tmp_path / "here"
    push(run, place)
    here.mkdir()
    if update:
        pull(place, here)
        make_run(run, a_md="new", report_html="new", metrics_json="[]")
        push(run, place)
    killed("pull", "settle", place, here, module="pull")
    pull(place, here)
    assert names(here) == {*names(run), "ravl.json"}
    assert all((here / n).read_bytes() == (place / n).read_bytes() for n in names(here))


def test_what_a_killed_pull_left_is_not_believed(tmp_path: Path) -> None:
    run, place, here = make_run(tmp_path / "run"), tmp_path / "place", tmp_path / "here"
    push(run, place)
    killed("pull", "copy", place, here)
    for file in (tmp_path / ".here.pulling").rglob("*.*"):
        if file.is_file():
            file.write_bytes(b"\0" * file.stat().st_size)
    pull(place, here)
    assert all((here / n).read_bytes() == (run / n).read_bytes() for n in names(run) - {"run.json"})


def test_pushing_a_memory_that_is_written_to(memory: Memory, tmp_path: Path) -> None:
    with database_of(memory).transaction() as connection:
        connection.execute("UPDATE rows SET label = 'half' WHERE row = 1")
        killed_ids = push_in_another_thread(memory.path, tmp_path / "place")
    assert killed_ids == []
    pull(tmp_path / "place", tmp_path / "here")
    with Memory.open(tmp_path / "here" / "test.ravl") as copy:
        assert copy.count('label = "half"') == 0  # as it was before the transaction
        assert len(copy) == 16
    assert memory.count('label = "half"') == 1


def push_in_another_thread(path: Path, place: Path) -> list[BaseException]:
    from threading import Thread

    errors: list[BaseException] = []

    def run() -> None:
        try:
            push(path, place)
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join(600)
    return errors
