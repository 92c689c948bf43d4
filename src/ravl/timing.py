"""How long each step of an answer takes; costs nothing without a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Literal, Self, get_args

Step = Literal["decode", "encode", "retrieve", "fuse", "generate"]
STEPS: tuple[Step, ...] = get_args(Step)


class Clock:
    """Seconds of each step; a step inside another stops the outer one's clock."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def switch(self, entered: str | None) -> None:
        """Enter a step, or with None leave the innermost one."""
        now = perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        if entered is None:
            self._open.pop()
        else:
            self._open.append(entered)
        self._since = now


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Measure the steps inside, in this thread: yields their seconds by name, as they grow."""
    clock = Clock()
    token = _clock.set(clock)
    try:
        yield clock.seconds
    finally:
        _clock.reset(token)


class step(ContextDecorator):
    """A step of an answer: ``with step("encode"): ...``, or as a decorator of a function."""

    def __init__(self, name: Step) -> None:
        self._name = name

    def __enter__(self) -> Self:
        if (clock := _clock.get()) is not None:
            clock.switch(self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (clock := _clock.get()) is not None:
            clock.switch(None)
