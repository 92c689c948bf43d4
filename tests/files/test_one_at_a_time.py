"""Two commands that write into one folder: the second is refused before it begins to work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.demo import run as demo
from ravl.drift.comparing import make_reference
from ravl.exports.run import export_run
from ravl.files.lock import LOCK, BusyError, locked
from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples

FITS: dict[str, Any] = {"model": "vote", "progress": False}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 8), copy=True)
    return tmp_path / "shop.ravl"


# What writes into the folder ``out``, and whether it makes the folder at its end.
WRITERS: dict[str, tuple[Callable[[Memory, Path], object], bool]] = {
    "fit": (lambda memory, out: ravl.fit("classify", memory, out=out, **FITS), False),
    "fit search": (lambda memory, out: ravl.fit("search", memory, out=out, progress=False), False),
    "tune": (lambda memory, out: ravl.tune("classify", memory, out=out, trials=1), False),
    "export": (lambda memory, out: memory.export(out), True),
    "push": (lambda memory, out: ravl.push(memory.path, out, progress=False), False),
    "pull": (lambda memory, out: ravl.pull(memory.folder / "place", out, progress=False), True),
    "demo": (lambda memory, out: demo(memory.folder / "pictures", out), False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_new_folder(shop: Path, name: str, tmp_path: Path) -> None:
    writer, at_the_end = WRITERS[name]
    out = tmp_path / "out"
    if name == "pull":
        ravl.push(shop, tmp_path / "place", progress=False)
    with Memory.open(shop, ColourEncoder()) as memory:
        before = sorted(tmp_path.rglob("*"))
        for beside in (True, False) if at_the_end else (False,):
            with locked(out, beside=beside), pytest.raises(BusyError, match="Another process"):
                writer(memory, out)
        assert sorted(tmp_path.rglob("*")) == before


RUN_WRITERS: dict[str, Callable[[Memory, Path], object]] = {
    "rollback": lambda memory, run: ravl.rollback(run),
    "drift reference": lambda memory, run: make_reference(ravl.load(run, memory), memory.folder),
    "the same fit": lambda memory, run: ravl.fit("classify", memory, out=run, **FITS),
}


def test_a_run(fitted: Path, tmp_path: Path) -> None:
    run = fitted / "linear"
    with ExitStack() as stack:
        memory = stack.enter_context(Memory.open(fitted / "shop.ravl", ColourEncoder()))
        stack.enter_context(locked(run))
        before = sorted(run.rglob("*"))
        for name, writer in RUN_WRITERS.items():
            with pytest.raises(BusyError, match="Another process"):
                writer(memory, run)
            assert sorted(run.rglob("*")) == before, name
        assert ravl.refit(run, memory).state == "busy"
        assert (run / LOCK).exists()
        stack.enter_context(locked(tmp_path / "out", beside=True))
        with pytest.raises(BusyError):  # a run that is only read may be exported elsewhere
            export_run(run, tmp_path / "out", memory=memory)
