"""What takes seconds to make is made once in a test run, not once in each process of pytest-xdist.

The processes share a folder, and the first one that asks makes what is in it; the others wait at a
lock, as the documentation of pytest-xdist advises ("Making session-scoped fixtures execute only
once"). Whoever wants to change what was made takes a copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

FINISHED = "finished"  # a file beside the folder: its maker came to the end


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that ``make`` has filled, the same one in all processes of this test run.

    Args:
        factory: pytest's ``tmp_path_factory``.
        name: of the folder; one name for one ``make``.
        make: fills the empty folder. Where it fails, the next process that asks tries again.
    """
    folder = shared_folder(factory) / name
    mark = folder.with_name(f"{name}.{FINISHED}")
    mark.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder)
            mark.touch()
    return folder


def copy_of(folder: Path, to: Path) -> Path:
    """A copy of what :func:`made_once` gave, to be changed.

    Another process may have a memory open there: SQLite makes and removes files beside it
    meanwhile, which hold nothing, because a memory that was closed is whole in its one file.
    """
    beside = shutil.ignore_patterns("*.ravl-wal", "*.ravl-shm")
    return Path(shutil.copytree(folder, to, ignore=beside))


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run alone, which all its processes know."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
