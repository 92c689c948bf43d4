"""A memory's file on the move: copied while others write, checked, put in place of an older one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from ravl.data import pictures
from ravl.errors import MemoryFileError, PictureError
from ravl.memory import Memory
from ravl.memory.exchange import check_vectors
from ravl.progress import progress_bar
from ravl.store.row import Row
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.checking import check_file
from ravl.store.sqlite.database import files_of

PAGE = 64  # pictures that are copied in together


@dataclass(frozen=True, slots=True)
class Pictures:
    """A memory's pictures: where they are, and what looked at them.

    Args:
        inside: in its file.
        outside: in files of their own, which do not go along.
        elsewhere: of these, by paths that are not below the memory's folder.
        lost: of these, were to be brought inside and are gone, or are others now.
        encoder: that looked at them.
    """

    inside: int = 0
    outside: int = 0
    elsewhere: int = 0
    lost: int = 0
    encoder: str = ""


def copy_memory(path: Path, to: Path, with_pictures: bool, show: bool | None = False) -> Pictures:
    """Copy a memory as it is at this moment, also while others write, without what was deleted.

    The same memory makes the same bytes.

    Args:
        path: of the memory.
        to: a new file.
        with_pictures: bring pictures inside that the memory knows by their path alone.
        show: progress of doing so.

    Raises:
        MemoryFileError: there is no memory, or no room for the copy.
    """
    with Memory.open(path) as memory:
        memory.store.copy_to(to)
        with contextlib.closing(SqliteStore(to)) as copy:
            lost = _bring_in(memory, copy, show) if with_pictures else 0
            with copy.transaction():
                deleted = copy.deleted.empty()
            if deleted:
                copy.compact()
            copy.database.log_ahead()
            found = _pictures(copy)
    return replace(found, lost=lost)


def check_memory(path: Path) -> Pictures:
    """Look at a memory that a stranger may have made, before anything uses it.

    Raises:
        MemoryFileError: the file is not a memory, is damaged, contains triggers or other SQL that
            would run, or vectors that are not finite or not of length 1.
    """
    check_file(path)
    with contextlib.closing(SqliteStore(path)) as store:
        try:
            check_vectors(store)
            return _pictures(store)
        except ValueError as error:  # JSON that is not JSON
            raise MemoryFileError(f"{path} is damaged: {error}. Push it again.") from error


def in_use(path: Path) -> bool:
    """Whether the file's newest changes are still beside it, in SQLite's log."""
    _, log, _ = files_of(path)
    return log.exists() and log.stat().st_size > 0


def settle(half: Path, target: Path) -> None:
    """Put a file in its place. A process that has an older memory open there keeps that one.

    The older one's log would be taken for the new one's, and is removed.
    """
    if target.suffix == ".ravl":
        for beside in files_of(target)[1:]:
            beside.unlink(missing_ok=True)
    half.replace(target)


def _bring_in(memory: Memory, copy: SqliteStore, show: bool | None) -> int:
    """Copy pictures into a copy of the memory; returns how many cannot be had."""
    wanted = _outside(copy)
    lost = 0
    with progress_bar("Bringing in", "pictures", show) as advance:
        for start in range(0, len(wanted), PAGE):
            page = wanted[start : start + PAGE]
            with copy.transaction():
                for row in page:
                    data = _read(row, _moved(row.path, copy.folder, memory.folder))
                    lost += data is None
                    if data is not None:
                        copy.rows.copy_in(row.number, data)
            advance(len(page), len(wanted))
    return lost


def _moved(path: Path | None, here: Path, there: Path) -> Path | None:
    """A path below one folder as it is below another one; other paths stay."""
    if path is None or not path.is_relative_to(here):
        return path
    return there / path.relative_to(here)


def _read(row: Row, file: Path | None) -> bytes | None:
    """A picture's bytes, if the file is still the one that the memory looked at."""
    if file is None:
        return None
    with contextlib.suppress(PictureError):
        data = pictures.read_bytes(file)
        if pictures.content_hash(data) == row.hash:
            return data
    return None


def _outside(store: SqliteStore) -> list[Row]:
    """Rows whose picture is a file of its own."""
    rows = [row for row in store.rows.with_file() if row.hash is not None]
    copied = store.rows.copied(row.number for row in rows)
    return [row for row in rows if row.number not in copied]


def _pictures(store: SqliteStore) -> Pictures:
    paths = [row.path for row in _outside(store) if row.path is not None]
    elsewhere = sum(not path.is_relative_to(store.folder) or ".." in path.parts for path in paths)
    spec = store.spaces.current().fingerprint.spec
    return Pictures(store.rows.count_copies(), len(paths), elsewhere, encoder=spec)
