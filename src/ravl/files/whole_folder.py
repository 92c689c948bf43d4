"""Write a folder so that it is there whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ravl.addresses import refuse_address
from ravl.errors import DataError
from ravl.files.lock import is_empty, locked

STAGE = ".exporting"  # folder of what is written and not in place yet


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose content is moved to its place when the block ends.

    If the process is killed before, the same call begins anew: what the first one left is removed.

    Args:
        folder: new or empty.

    Raises:
        DataError: it holds something already, or another process writes it (``BusyError``).
    """
    refuse_address(folder)
    inside = folder.exists()  # it may be a mounted volume, which cannot be renamed
    stage = folder / STAGE if inside else folder.parent / f".{folder.name}{STAGE}"
    if inside and not folder.is_dir():
        raise _taken(folder)
    with locked(folder, beside=not inside):
        if inside and not stage.exists() and not is_empty(folder):
            raise _taken(folder)
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir()
        try:
            yield stage
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        if not inside:
            stage.rename(folder)
            return
        for item in sorted(stage.iterdir()):
            target = folder / item.name
            if target.is_dir():  # of a call that was killed right here
                shutil.rmtree(target)
            item.replace(target)
        stage.rmdir()


def _taken(folder: Path) -> DataError:
    return DataError(f"{folder} is not an empty folder. Export to a new one.")
