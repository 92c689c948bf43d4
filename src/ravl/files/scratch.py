"""Temporary folders; what a killed process has left of them is removed by the next process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ravl.files.lock import is_abandoned, locked

PREFIX = ".ravl-scratch-"


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """An empty folder that is removed when the block ends.

    A process that is killed cannot remove its folder. The next call with the same parent does; on a
    system without locks the folder stays.

    Args:
        parent: the folder is made in it; None for the system's folder of temporary files.

    Raises:
        OSError: the parent cannot be written.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_abandoned(parent)
    made = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
    with made as folder, locked(Path(folder)):
        work = Path(folder) / "work"
        work.mkdir()
        yield work


def remove_abandoned(parent: Path | None = None) -> None:
    """Remove the temporary folders of processes that were killed.

    Args:
        parent: as for :func:`scratch_folder`.
    """
    for left in (parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        if is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
