"""What other processes, kills and full disks may do to a memory."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ravl.data import Example
from ravl.errors import MemoryFileError, MemoryLockedError
from ravl.memory import Memory
from ravl.memory.editing import edit
from tests.helpers import ColourEncoder, database_of, draw, make_examples, make_pictures
from tests.memory.crash import examples
from tests.waiting import PATIENCE, pause

ROOT = Path(__file__).parents[2]


def start(what: str, file: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.memory.crash", what, file, *arguments]
    process = subprocess.Popen(
        [str(c) for c in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def run(what: str, file: Path, *arguments: object) -> None:
    process = start(what, file, *arguments)
    assert process.communicate()[0] == "done\n"
    assert process.returncode == 0


def check(memory: Memory) -> None:
    """The file is sound, and rows, vectors and words belong together."""
    connection = database_of(memory).connection
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    rows = {row.number for row in memory}
    assert set(memory.vectors().keys.tolist()) == rows
    assert set(memory.vectors("text_vectors").rows.tolist()) == rows
    assert {n for (n,) in connection.execute("SELECT rowid FROM keywords")} == rows


def kill_repeatedly(what: str, file: Path, folder: Path, times: int) -> None:
    """Start, kill -9 at a random moment before the end, and check, so often."""
    moments = random.Random(7)
    for _ in range(times):
        process = start(what, file, folder, "endless")
        pause(moments.uniform(0.0, 0.3))  # any moment will do
        process.send_signal(signal.SIGKILL)
        assert "done" not in process.communicate()[0]
        with Memory.open(file, None) as memory:
            check(memory)


@pytest.mark.parametrize("times", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_kill_9_while_indexing(tmp_path, times):
    make_pictures(tmp_path / "pictures", 60)
    file = tmp_path / "test.ravl"
    Memory.create(file, ColourEncoder()).close()
    kill_repeatedly("index", file, tmp_path / "pictures", times)
    run("index", file, tmp_path / "pictures")

    with Memory.open(file, ColourEncoder()) as memory:
        check(memory)
        with Memory.create(tmp_path / "fresh.ravl", ColourEncoder()) as fresh:
            fresh.add(examples(tmp_path / "pictures"))
            of_fresh = [(r.example(), r.hash, r.duplicate_of is None) for r in fresh]
        assert [(r.example(), r.hash, r.duplicate_of is None) for r in memory] == of_fresh


@pytest.mark.parametrize("what", ["reembed", "reembed-trained"])
def test_kill_9_while_reembedding(tmp_path, what):
    make_pictures(tmp_path / "pictures", 60)
    file = tmp_path / "test.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add(examples(tmp_path / "pictures"))
    process = start(what, file, tmp_path / "pictures", "endless")
    pause(0.1)  # any moment will do
    process.send_signal(signal.SIGKILL)
    assert "done" not in process.communicate()[0]
    with Memory.open(file, ColourEncoder()) as memory:  # the old space is whole
        check(memory)
        assert memory.search("a red picture", k=1)[0].row.label == "red"
    run(what, file, tmp_path / "pictures")
    with Memory.open(file, ColourEncoder(mirror=True)) as memory:
        check(memory)


def test_a_second_writer_waits(memory):
    process = start("hold", memory.path, ".")
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    assert memory.search("a red picture", k=1)  # readers do not wait
    with (
        Memory.open(memory.path, ColourEncoder(), timeout=PATIENCE) as patient,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(patient.update, "red_000.png", label="crimson")
        pause(0.2)  # however long it is, the writer waits
        assert not writing.done()
        process.communicate("go on")
        writing.result(PATIENCE)
    assert memory.get("red_000.png").label == "crimson"


def test_a_second_writer_gives_up_with_a_sentence(memory):
    process = start("hold", memory.path, ".")
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    with (
        Memory.open(memory.path, ColourEncoder(), timeout=0.2) as impatient,  # any speed: held
        pytest.raises(MemoryLockedError, match=r"after 0\.2 s.*Nothing was changed"),
    ):
        impatient.update("red_000.png", label="crimson")
    process.kill()
    process.communicate()
    assert memory.get("red_000.png").label == "red"


def test_readers_see_what_another_process_writes(memory, tmp_path):
    assert len(memory.search("a red picture", k=50, mode="dense")) == 16
    make_pictures(tmp_path / "more", 60)
    run("index", memory.path, tmp_path / "more")
    assert len(memory.search("a red picture", k=100, mode="dense")) == 60  # 16 names are the same


def test_threads_read_while_one_writes(memory, tmp_path):
    failures: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        try:
            while not stop.is_set():
                hits = memory.search("a blue picture", k=5)
                assert len(hits) == 5
                assert all(hit.row.label for hit in hits)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for example in make_examples(tmp_path / "more", 30)[16:]:
        memory.add([example])
    for i in range(5):
        memory.delete([f"{['red', 'green', 'blue', 'yellow', 'black'][i]}_00{i}.png"])
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(memory) == 25


def test_a_full_disk_loses_nothing(empty, tmp_path):
    for i, path in enumerate(make_pictures(tmp_path / "pictures", 40)):
        draw(i, "red", (160, 120)).resize((640, 480)).save(path, compress_level=0)  # 900 kB
    connection = database_of(empty).connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 600}")  # SQLite's own "disk full"
    with pytest.raises(MemoryFileError, match=r"disk under .* is full.*intact"):
        empty.add(examples(tmp_path / "pictures"), copy=True)
    saved = len(empty)
    assert 0 < saved < 40
    check(empty)
    connection.execute("PRAGMA max_page_count = 1000000")
    report = empty.add(examples(tmp_path / "pictures"), copy=True)
    assert report.added == 40 - saved
    check(empty)


def test_interrupting_keeps_what_was_done(empty, tmp_path):
    make_pictures(tmp_path / "pictures", 40)

    class Interrupted(ColourEncoder):
        def features(self, prepared):
            if self.looked >= 24:
                raise KeyboardInterrupt
            return super().features(prepared)

    empty._offered, empty._encoders = [Interrupted()], {}
    with pytest.raises(KeyboardInterrupt):
        empty.add(examples(tmp_path / "pictures"))
    assert len(empty) == 24
    check(empty)
    empty._offered, empty._encoders = [ColourEncoder()], {}
    assert empty.add(examples(tmp_path / "pictures")).added == 16


@pytest.mark.skipif(os.name != "posix", reason="file permissions of POSIX")
def test_a_file_that_cannot_be_written(memory, monkeypatch):
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("ravl.store.sqlite.history.HistoryTables.begin", refuse)
    with pytest.raises(MemoryFileError, match="cannot be written.*read-only"):
        memory.update("red_000.png", label="x")


def test_a_clock_that_goes_back_loses_nothing(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call of the clock gives an earlier time than the one before."""
    hours = iter(range(10**6))

    def now() -> str:
        moment = datetime(2031, 1, 1, tzinfo=UTC) - timedelta(hours=next(hours))
        return moment.isoformat(timespec="milliseconds")

    for module in ("history", "sqlite.history", "sqlite.rows", "sqlite.trash", "sqlite.notes"):
        monkeypatch.setattr(f"ravl.store.{module}.now", now)
    folder = tmp_path / "pictures"
    (folder / "torn.png").write_bytes(b"no picture")
    for _ in range(2):
        memory.index(folder, progress=False)
        assert [Path(each.place).name for each in memory.quarantine()] == ["torn.png"]
    draw(1, "red").save(folder / "torn.png")
    memory.index(folder, progress=False)
    assert memory.quarantine() == []

    (folder / "torn.png").unlink()
    memory.delete(["torn.png"])
    for text in ("first", "second"):
        memory.add([Example("same id", texts=(text,))])
        edit(memory, "throw", trashed=["same id"])
    assert [entry.row.texts for entry in memory.trashed()] == [("second",), ("first",)]
    assert memory.restore(["same id"]) == ["same id"]
    assert memory.get("same id").texts == ("second",), "the one that was thrown away last"

    version = memory.version
    memory.update("red_000.png", label="crimson")
    assert [v.number for v in memory.history(limit=2)] == [version + 1, version]
    found = memory.search("a red picture", k=1, where='label = "crimson"')
    assert [hit.id for hit in found] == ["red_000.png"]
    memory.revert(version)
    assert memory.get("red_000.png").label == "red"
