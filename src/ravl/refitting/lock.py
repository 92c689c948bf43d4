"""One refit of a run at a time, over all processes of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

LOCK = "refit.lock"


class BusyError(Exception):
    """Another process holds the lock; the message says which, and since when."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's lock. It goes with the process, however that ends.

    Raises:
        BusyError: somebody else holds it.
    """
    import fcntl

    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise BusyError(
                f"{folder} is being refitted by {file.read().strip() or 'another process'}."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {moment()}")
        file.flush()
        yield
        file.truncate(0)


def moment() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
