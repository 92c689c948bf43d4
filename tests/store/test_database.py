"""The file of a memory: making it, opening it where it cannot be written, and files of others."""

from __future__ import annotations

import multiprocessing as mp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ravl.data import Example
from ravl.errors import MemoryExistsError, MemoryFileError
from ravl.memory import Memory
from ravl.store.sqlite import database
from tests.helpers import ColourEncoder, is_root, make_examples

ROOT = Path(__file__).parents[2]
ROUNDS = 6


def starts(who: str, folder: Path, barrier: mp.synchronize.Barrier, said: mp.Queue[str]) -> None:
    for i in range(ROUNDS):
        barrier.wait()
        try:
            with Memory.open_or_create(folder / f"{i}.ravl", ColourEncoder()) as memory:
                memory.add([Example(who, texts=(f"of {who}",))])
            said.put("")
        except Exception as error:
            said.put(f"{who} in round {i}: {error!r}")
        barrier.wait()


def test_of_two_first_starts_one_makes_the_memory_and_both_write(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    barrier, said = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=starts, args=(who, tmp_path, barrier, said)) for who in ("a", "b")
    ]
    for process in processes:
        process.start()
    problems = [said.get() for _ in range(2 * ROUNDS)]
    for process in processes:
        process.join()
    assert [problem for problem in problems if problem] == []
    for i in range(ROUNDS):
        with Memory.open(tmp_path / f"{i}.ravl", ColourEncoder()) as memory:
            assert {row.id for row in memory.rows()} == {"a", "b"}
    assert [file.name for file in tmp_path.iterdir() if "making" in file.name] == []


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_memory_replaces_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Not even one that another process makes in the last moment."""
    file, publish = tmp_path / "m.ravl", database.publish

    def no_links(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    def late(work: Path, path: Path) -> None:
        path.write_bytes(b"of another process")
        publish(work, path)

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with monkeypatch.context() as patch:
        patch.setattr(database, "publish", late)
        with pytest.raises(MemoryExistsError, match="exists already"):
            Memory.create(file, ColourEncoder())
    assert file.read_bytes() == b"of another process"
    assert [each.name for each in tmp_path.iterdir()] == ["m.ravl"]
    file.unlink()
    Memory.create(file, ColourEncoder()).close()
    with pytest.raises(MemoryExistsError):
        Memory.create(file, ColourEncoder())


def test_what_a_killed_attempt_left_is_tidied_up(tmp_path: Path) -> None:
    left = tmp_path / ".m.ravl.0123abcd.making"
    left.write_bytes(b"half")
    other = tmp_path / ".n.ravl.0123abcd.making"
    other.write_bytes(b"of another memory")
    Memory.create(tmp_path / "m.ravl", ColourEncoder()).close()
    assert not left.exists()
    assert other.exists()


# --- where nothing can be written ----------------------------------------------------------

READ = """
import sys
from ravl.errors import MemoryFileError
from ravl.memory import Memory
from tests.helpers import ColourEncoder, is_root, make_examples
with Memory.open(sys.argv[1], ColourEncoder()) as memory:
    print([row.id for row in memory.rows()])
    print([hit.id for hit in memory.search("a red picture", k=1)], len(memory), memory.version)
    print(memory.picture("red_000.png").size, memory.info().rows)
    with memory.at(1) as earlier:
        print(len(earlier), earlier.picture("red_000.png").size, earlier.folder == memory.folder)
    try:
        memory.update("red_000.png", label="x")
    except MemoryFileError as error:
        print(error)
    sys.stdin.readline()  # until something else has happened
    print(len(memory), memory.get("red_000.png").label)
"""


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder that everybody may look into, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="ravl-disk-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o700)
    shutil.rmtree(folder)


@pytest.fixture
def readers() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts processes that may read everything and write nothing."""
    started = []

    def start(file: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", READ, str(file)]
        if is_root():
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            if shutil.which("setpriv") is None:
                pytest.skip("no setpriv to become somebody who may not write")
            command = [*nobody, *command]
        pipe = subprocess.PIPE
        environment = {**os.environ, "HOME": "/nonexistent", "RAVL_CACHE": "/nonexistent"}
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def only_readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.skipif(os.name != "posix", reason="file permissions of POSIX")
def test_a_memory_in_a_folder_that_cannot_be_written(
    disk: Path, readers: Callable[[Path], subprocess.Popen[str]]
) -> None:
    file = disk / "m.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add(make_examples(disk / "pictures", 4))
    only_readable(disk)
    process = readers(file)
    assert "red_000.png" in said(process)
    assert said(process) == "['red_000.png'] 4 1\n"
    assert said(process) == "(64, 48) 4\n"
    assert said(process) == "4 (64, 48) True\n"
    assert "is read-only. It can be read." in said(process)
    assert process.communicate("\n")[0] == "4 red\n"
    assert [each.name for each in file.parent.iterdir() if each.is_file()] == ["m.ravl"]


@pytest.mark.skipif(os.name != "posix", reason="file permissions of POSIX")
@pytest.mark.parametrize("open_before", [False, True])
def test_somebody_who_may_write_does_so_meanwhile(
    disk: Path, readers: Callable[[Path], subprocess.Popen[str]], open_before: bool
) -> None:
    file = disk / "m.ravl"
    with ExitStack() as stack:
        memory = stack.enter_context(Memory.create(file, ColourEncoder()))
        memory.add(make_examples(disk / "pictures", 4))
        if not open_before:
            memory.close()
        only_readable(disk)
        process = readers(file)
        for _ in range(5):
            answer = said(process)
        assert "is read-only. It can be read." in answer
        if not is_root():  # the owner may write again
            for path in (file, file.parent):
                path.chmod(0o755)
        if not open_before:
            memory = stack.enter_context(Memory.open(file, ColourEncoder()))
        memory.delete(["blue_002.png"])
        memory.update("red_000.png", label="crimson")
        for path in file.parent.glob("m.ravl-*"):
            path.chmod(0o444)
        assert process.communicate("\n")[0] == "3 crimson\n"


@pytest.mark.skipif(os.name != "posix", reason="file permissions of POSIX")
def test_newest_changes_that_cannot_be_read_are_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "m.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add([Example("a", texts=("a",))])
        copy = tmp_path / "copy" / "m.ravl"
        copy.parent.mkdir()
        for each in (file, file.with_name("m.ravl-wal")):
            shutil.copy(each, copy.with_name(each.name))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(MemoryFileError, match="was not closed properly: m.ravl-wal holds"):
        Memory.open(copy, ColourEncoder())
