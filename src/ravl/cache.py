"""Where ravl keeps what it can make again: exported networks, downloaded samples.

A folder that :func:`made_folder` has made holds the hashes of its files. The files that a caller
names are compared with them: if one was altered, the folder is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from ravl.files.scratch import scratch_folder
from ravl.hashes import FileHash, first_difference, from_json, hashes_below, to_json
from ravl.untrusted import read_json

HASHES = "hashes.json"  # of the files beside it


def cache_dir(name: str) -> Path:
    """A folder of that name inside ravl's cache, made if need be.

    The cache is the user's cache folder of the operating system, or ``$RAVL_CACHE``.
    """
    base = os.environ.get("RAVL_CACHE") or platformdirs.user_cache_dir("ravl")
    folder = Path(base) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def made_folder(
    folder: Path, write: Callable[[Path], object], *names: str, whole: bool = False
) -> Path:
    """A folder in the cache, made if it is not there, or if some of its files were altered.

    Args:
        folder: where it is.
        write: writes all files into an empty folder.
        *names: of files that are used now, and are compared with their hashes for it.
        whole: all files are used now.

    Returns:
        The folder.

    Raises:
        OSError: the folder cannot be made.
    """
    if not (is_whole(folder) if whole else is_intact(folder, *names)):
        _make(folder, write)
    return folder


def is_intact(folder: Path, *names: str) -> bool:
    """Whether a folder was made whole, and these files are those that were written."""
    written = _written(folder)
    return (
        written is not None
        and written.keys() >= set(names)
        and first_difference(folder, {name: written[name] for name in names}) is None
    )


def is_whole(folder: Path) -> bool:
    """Whether a folder was made whole, and all its files are those that were written."""
    written = _written(folder)
    return written is not None and first_difference(folder, written) is None


def _written(folder: Path) -> dict[str, FileHash] | None:
    try:
        return from_json(read_json(folder / HASHES))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, of an older ravl, or damaged


def _make(folder: Path, write: Callable[[Path], object]) -> None:
    """Write everything to a temporary folder, then rename it, so that it is always complete."""
    with scratch_folder(folder.parent) as work:
        made = work / "made"
        made.mkdir()
        write(made)
        names = [f.relative_to(made).as_posix() for f in made.rglob("*") if f.is_file()]
        hashes = hashes_below(made, [name for name in names if name != HASHES])
        (made / HASHES).write_text(json.dumps(to_json(hashes), indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(work / "altered")
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster; its folder is equally good
                raise
