from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.once import made_once, shared_folder


class Factory:
    """A worker's ``tmp_path_factory``."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def getbasetemp(self) -> Path:
        return self.base


@pytest.fixture
def workers(tmp_path, monkeypatch) -> list[Any]:
    """The factories of three processes of pytest-xdist."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    bases = [tmp_path / f"popen-gw{i}" for i in range(3)]
    for base in bases:
        base.mkdir()
    return [Factory(base) for base in bases]


def test_workers_share_what_the_first_one_makes(workers, tmp_path):
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("made", "utf-8")

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda worker: made_once(worker, "thing", make), workers))
    assert found == [tmp_path / "once" / "thing"] * 3
    assert len(made) == 1
    assert (found[0] / "file").read_text("utf-8") == "made"


def test_what_failed_half_way_is_made_anew(workers):
    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        made_once(workers[0], "thing", breaks)
    folder = made_once(workers[1], "thing", lambda folder: (folder / "whole").touch())
    assert [p.name for p in folder.iterdir()] == ["whole"]


def test_one_process_keeps_to_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    factory: Any = Factory(tmp_path)
    assert shared_folder(factory) == tmp_path / "once"
