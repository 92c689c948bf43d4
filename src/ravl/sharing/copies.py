"""A memory's file on the move: copied while others write, checked, put in place of an older one."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ravl.data import pictures
from ravl.errors import MemoryFileError, PictureError
from ravl.memory import Memory
from ravl.progress import progress_bar
from ravl.store.spaces import current_space
from ravl.store.sqlite import Database, files_of

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
    """Copy a memory as it is at this moment, whoever is writing, without what was deleted.

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
        memory.database.copy_to(to)
        copy = Database(to)
        try:
            lost = _bring_in(memory, copy, show) if with_pictures else 0
            with copy.errors():
                copy.connection.execute("PRAGMA journal_mode = WAL")
            found = _pictures(copy.connection)
        finally:
            copy.close()
    return replace(found, lost=lost)


def check_memory(path: Path) -> Pictures:
    """Look at a memory that a stranger may have made, before anything uses it.

    Raises:
        MemoryFileError: the file is not a memory, is damaged, or contains triggers or other SQL
            that would run.
    """
    database = Database(path)
    try:
        with database.errors():
            connection = database.connection
            connection.execute("PRAGMA trusted_schema = OFF")
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise MemoryFileError(f"{path} is damaged: {verdict}. Push it again.")
            sql = "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view') LIMIT 1"
            foreign = connection.execute(sql).fetchone()
            if foreign:
                raise MemoryFileError(
                    f"{path} holds a trigger or view, {foreign[0]!r}, which no memory of ravl has. "
                    "Do not use it, and ask whoever pushed it."
                )
            return _pictures(connection)
    except sqlite3.OperationalError as error:  # tables that are missing
        raise MemoryFileError(f"{path} is not a ravl memory: {error}.") from error
    finally:
        database.close()


def in_use(path: Path) -> bool:
    """Whether the file's newest changes are still beside it, in SQLite's log."""
    _, log, _ = files_of(path)
    return log.exists() and log.stat().st_size > 0


def settle(half: Path, target: Path) -> None:
    """Put a file in its place. Whoever has an older memory there open keeps that one.

    The older one's log would be taken for the new one's, and is removed.
    """
    if target.suffix == ".ravl":
        for beside in files_of(target)[1:]:
            beside.unlink(missing_ok=True)
    half.replace(target)


def _bring_in(memory: Memory, copy: Database, show: bool | None) -> int:
    """Copy pictures into a copy of the memory; returns how many cannot be had."""
    connection = copy.connection
    sql = "FROM rows WHERE hash IS NOT NULL AND row NOT IN (SELECT row FROM pictures)"
    wanted = connection.execute(f"SELECT row, path, hash {sql} ORDER BY row").fetchall()
    lost = 0
    with progress_bar("Bringing in", "pictures", show) as advance:
        for start in range(0, len(wanted), PAGE):
            page = wanted[start : start + PAGE]
            with copy.transaction():
                for number, path, digest in page:
                    data = _read(memory.folder / path if path else None, digest)
                    lost += data is None
                    if data is not None:
                        connection.execute("INSERT INTO pictures VALUES (?, ?)", (number, data))
                        connection.execute("UPDATE rows SET path = NULL WHERE row = ?", (number,))
            advance(len(page), len(wanted))
    return lost


def _read(file: Path | None, digest: str) -> bytes | None:
    """A picture's bytes, if the file is still the one that the memory looked at."""
    if file is None:
        return None
    with contextlib.suppress(PictureError):
        data = pictures.read_bytes(file)
        if pictures.content_hash(data) == digest:
            return data
    return None


def _pictures(connection: sqlite3.Connection) -> Pictures:
    inside = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
    sql = (
        "SELECT path FROM rows WHERE hash IS NOT NULL AND path IS NOT NULL "
        "AND row NOT IN (SELECT row FROM pictures)"
    )
    paths = [PurePath(path) for (path,) in connection.execute(sql)]
    elsewhere = sum(path.is_absolute() or ".." in path.parts for path in paths)
    spec = current_space(connection).fingerprint.spec
    return Pictures(inside, len(paths), elsewhere, encoder=spec)
