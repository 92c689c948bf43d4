"""Requests a minute: a token bucket for each caller."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from ravl.serving.problems import Problem

MOST = 10_000  # callers that are remembered
BURST = 10.0  # seconds' worth of requests that may come at once


class Rate:
    """Refuses callers that ask too often.

    Args:
        minute: requests a minute; 0 for no limit.
        clock: seconds.
    """

    def __init__(self, minute: float, clock: Callable[[], float] = monotonic) -> None:
        self._each = minute / 60
        self._most = max(1.0, self._each * BURST)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, name: str) -> None:
        """One more request of a caller.

        Raises:
            Problem: 429, with the seconds until the next may come.
        """
        if not self._each:
            return
        now = self._clock()
        left, since = self._buckets.pop(name, (self._most, now))
        left = min(self._most, left + (now - since) * self._each)
        self._buckets[name] = (left - 1 if left >= 1 else left), now
        while len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Problem(
                429,
                f"More than {60 * self._each:,.0f} requests a minute came with this key. Ask less "
                "often, or many things at once by the batch endpoints.",
                retry=(1 - left) / self._each,
            )
