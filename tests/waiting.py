"""Waiting without a guess about how fast the machine is.

A test waits for what it needs, however long that takes: :func:`wait_until` and :func:`until` look
until something is true. :func:`pause` only lets time pass. Use it to make a double slow, or where a
longer pause could not change the result; never in the hope that something is over by then.
``tests/project/test_no_speed.py`` refuses clocks, sleeps and short time limits elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 600.0  # seconds; what takes longer than this hangs, on any machine
OFTEN = 0.01  # seconds between two looks


def wait_until(true: Callable[[], object], what: str = "what was waited for") -> None:
    """Return once ``true()`` is; fail after ``PATIENCE``."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} has not come true"
        time.sleep(OFTEN)


async def until(true: Callable[[], object], what: str = "what was waited for") -> None:
    """The same in an event loop, which goes on meanwhile."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} has not come true"
        await asyncio.sleep(OFTEN)


def pause(seconds: float) -> None:
    """Let time pass: see the module's text for when this is right."""
    time.sleep(seconds)
