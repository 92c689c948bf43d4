"""Doubles that watch what is done with files of strangers: programs, connections and memory."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

MOST = 600 * 2**20  # bytes above rest that a door may take
RUNNING = ("pickle.", "subprocess.", "os.system", "os.exec", "socket.connect")

ran: list[str] = []
watching = False


def _watch(event: str, _: object) -> None:
    if watching and event.startswith(RUNNING):
        ran.append(event)


sys.addaudithook(_watch)


@contextlib.contextmanager
def nothing_is_run() -> Iterator[None]:
    """Nothing that is opened inside runs a program or code, or calls anybody."""
    global watching
    ran.clear()
    watching = True
    try:
        yield
    finally:
        watching = False
        assert sorted(set(ran)) == []


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """What happens inside takes at most ``MOST`` bytes above rest."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _used("VmRSS")
    yield
    assert _used("VmHWM") - before < MOST


@contextlib.contextmanager
def harmless() -> Iterator[None]:
    """Both."""
    with nothing_is_run(), little_memory():
        yield


def _used(name: str) -> int:
    status = Path("/proc/self/status")  # of Linux
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
