"""One process at a time in a folder; the lock ends with its process, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ravl.errors import DataError

LOCK = ".ravl.lock"  # in a folder in which a process works; what a killed process left is no lock


class BusyError(DataError):
    """Another process works in the folder; the message says which process, and since when."""


@contextmanager
def locked(folder: Path, beside: bool = False) -> Iterator[None]:
    """Keep other processes from a folder while the block runs.

    Args:
        folder: that is worked in; made if necessary, and removed if it is empty in the end.
        beside: the folder does not exist, and the block makes it: the lock lies beside it.

    Raises:
        BusyError: another process works in the folder.
        OSError: the folder cannot be written.
    """
    file = folder.parent / f".{folder.name}{LOCK}" if beside else folder / LOCK
    new = not folder.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if new:
            stack.callback(_remove_if_empty, folder)
        try:
            lock = stack.enter_context(_held(file, wait=False))
        except BlockingIOError:
            raise _busy(folder, _by(file)) from None
        if beside and folder.exists():
            raise _busy(folder, "it has made the folder just now")
        lock.write(f"process {os.getpid()}, since {moment()}")
        lock.flush()
        yield


@contextmanager
def waiting(file: Path) -> Iterator[None]:
    """The same for a file that is written in a moment: wait for the other process."""
    with _held(file, wait=True):
        yield


def is_abandoned(folder: Path) -> bool:
    """Whether a process worked in a folder and was killed; False if this cannot be known."""
    try:
        import fcntl

        with (folder / LOCK).open("r+", encoding="utf-8") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except (ImportError, OSError):  # no lock, that of a living process, or a system without locks
        return False


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but a lock."""
    return all(item.name == LOCK for item in folder.iterdir())


def moment() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _busy(folder: Path, who: str) -> BusyError:
    return BusyError(
        f"Another process works in {folder} ({who}). Repeat the command when it has ended."
    )


def _by(file: Path) -> str:
    try:
        return file.read_text("utf-8") or "it has begun just now"
    except OSError:
        return "it has ended just now"


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _held(file: Path, wait: bool) -> Iterator[TextIO]:
    """An empty file that this process alone has locked; removed in the end.

    Raises:
        BlockingIOError: another process has it locked, and ``wait`` is False.
    """
    while True:
        with file.open("a", encoding="utf-8") as opened:
            _lock(opened, wait)
            if not _is_same(file, opened):  # the process before removed it
                continue
            opened.truncate(0)
            try:
                yield opened
            finally:
                if _is_same(file, opened):
                    file.unlink()
            return


def _lock(opened: TextIO, wait: bool) -> None:
    try:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except (ImportError, OSError):  # a system or a file system without locks
        return


def _is_same(file: Path, opened: TextIO) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(opened.fileno()))
    except FileNotFoundError:
        return False
