"""A file that is replaced or removed while it is open: no write is acknowledged and then lost."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ravl.errors import MemoryFileError
from ravl.memory import Memory
from ravl.serving.audit import Audit
from ravl.store.sqlite.feedback import Entry, FeedbackStore
from tests.helpers import ColourEncoder, make_examples

WRITES: dict[str, Callable[[Memory], object]] = {
    "update": lambda memory: memory.update(next(iter(memory.rows())).id, label="new"),
    "delete": lambda memory: memory.delete([next(iter(memory.rows())).id]),
    "hubness": lambda memory: memory.set_hubness(0.5),
    "compact": lambda memory: memory.compact(),
    "search": lambda memory: memory.search("red"),
    "count": lambda memory: memory.count(),
}


def replaced(path: Path) -> None:
    half = path.with_name("half")
    shutil.copy(path, half)
    half.replace(path)


def removed(path: Path) -> None:
    path.unlink()


def made_again(path: Path) -> None:
    shutil.copy(path, path.with_name("kept"))
    path.unlink()
    shutil.copy(path.with_name("kept"), path)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))
    return tmp_path / "shop.ravl"


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("change", [replaced, removed, made_again])
@pytest.mark.parametrize("aside", [False, True])
def test_another_file_is_noticed(
    shop: Path, change: Callable[[Path], None], what: str, aside: bool
) -> None:
    """In the thread that has it open, and in one that opens it now."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            WRITES[what](memory)
        except MemoryFileError as error:
            failed.append(error)

    with Memory.open(shop, ColourEncoder()) as memory:
        memory.count()
        change(shop)
        if aside:
            thread = threading.Thread(target=do)
            thread.start()
            thread.join()
        else:
            do()
        assert failed, f"{what} was done in a file that has no name"
        assert "while it was open" in str(failed[0])


def test_a_file_that_is_replaced_during_a_write_is_noticed(shop: Path) -> None:
    with Memory.open(shop, ColourEncoder()) as memory:
        with (
            pytest.raises(MemoryFileError, match="was replaced by another file while it was open"),
            memory.store.transaction(),
        ):
            version = memory.store.history.begin("a test")
            replaced(shop)
        assert version == 2
    with Memory.open(shop, ColourEncoder()) as memory:
        assert memory.version == 1


def test_a_file_that_stays_is_written(shop: Path) -> None:
    with Memory.open(shop, ColourEncoder()) as memory:
        for write in WRITES.values():
            write(memory)


@pytest.mark.parametrize("change", [replaced, removed, made_again])
def test_feedback_is_never_lost_silently(tmp_path: Path, change: Callable[[Path], None]) -> None:
    store = FeedbackStore(tmp_path / "shop.feedback")
    entry = Entry(
        who="ann", task="classify", run="shirts", answer={"label": "a"}, verdict="accepted"
    )
    assert store.add(entry).number == 1
    change(store.file)
    for use in (
        lambda: store.add(entry),
        lambda: store.settle(1, "used"),
        lambda: store.get(1),
        lambda: store.picture(1),
        lambda: store.count(),
        lambda: store.entries("open"),
    ):
        with pytest.raises(MemoryFileError, match="replaced or removed"):
            use()
    store.close()
    if change is not removed:
        there = FeedbackStore(store.file)
        assert there.get(1).state == "open"
        there.close()


@pytest.mark.parametrize("change", [replaced, removed, made_again])
def test_the_audit_log_can_be_rotated(tmp_path: Path, change: Callable[[Path], None]) -> None:
    log = Audit(tmp_path / "audit.log")
    log.write(caller="ann", request="1", what="row.update")
    change(log.file)
    log.write(caller="ann", request="2", what="row.update")
    log.close()
    assert '"request": "2"' in log.file.read_text("utf-8")
