"""Dynamic batching: requests that come at the same time share one pass of the network.

One thread for each model takes the oldest job and all others with the same key, up to so many
items, and calls the model once with the items of all. Nobody waits for company that is not on its
way: a place is taken before a picture is decoded, so that it is known who is still coming.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from ravl.serving.problems import Problem
from ravl.timing import measured

Q = TypeVar("Q")  # an item
A = TypeVar("A")  # its answer
A_co = TypeVar("A_co", covariant=True)
Call = Callable[[Sequence[Q]], tuple[Sequence[A], int]]  # items to answers, and a version


class BatchObserver(Protocol):
    """What records each pass."""

    def __call__(self, model: str, items: int, seconds: dict[str, float]) -> None:
        """How many items it had, and how long each step took."""


@dataclass(frozen=True, slots=True)
class Done(Generic[A_co]):
    """The answers to one job.

    Args:
        answers: to its items, in their order.
        version: of the memory that gave them.
        seconds: that the steps of the pass took, which others may have shared.
        together: items of the pass.
    """

    answers: Sequence[A_co]
    version: int
    seconds: dict[str, float]
    together: int


@dataclass(eq=False)
class _Job(Generic[Q, A]):
    key: Hashable
    items: Sequence[Q]
    call: Call[Q, A]
    future: Future[Done[A]] = field(default_factory=Future)


_AnyJob = _Job[Any, Any]  # jobs of one queue differ; those of one pass have the same key


class Batcher:
    """A model's thread and the queue before it.

    Args:
        name: of the model.
        queue: items that may wait or be answered; more are refused.
        together: items of one pass.
        wait: seconds that the first waits for those that are on their way.
        meter: records each pass.
    """

    def __init__(
        self,
        name: str,
        *,
        queue: int,
        together: int,
        wait: float,
        meter: BatchObserver | None = None,
    ) -> None:
        self.name = name
        self.pending = 0  # items that have a place
        self._queue, self._together, self._wait = queue, together, wait
        self._meter = meter
        self._jobs: deque[_AnyJob] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._pace = 0.05  # seconds of an item, as it lately was
        self._thread = threading.Thread(target=self._work, name=f"ravl {name}", daemon=True)
        self._thread.start()

    @contextmanager
    def place(self, count: int) -> Iterator[None]:
        """A place for so many items, until the block is left, whatever leaves it.

        Raises:
            Problem: 429 at once where there is none.
        """
        with self._ready:
            if self._closed:
                raise Problem(503, "The server is being stopped. Ask again later.", retry=5)
            if self.pending + count > self._queue:
                raise self.full(count)
            self.pending += count
        try:
            yield
        finally:
            with self._ready:
                self.pending -= count
                self._ready.notify()

    def full(self, count: int = 1) -> Problem:
        """Why there is no place."""
        return Problem(
            429,
            f"{self.pending:,} requests are before yours, and {self._queue:,} is all that may "
            "wait. Ask again in a moment"
            + (f", or for less than {count:,} at once." if count > 1 else "."),
            retry=self._pace * self.pending,
        )

    def check(self) -> None:
        """Refuse at once where nothing more may wait: before a body is read."""
        if self.pending >= self._queue:
            raise self.full()

    async def answer(self, key: Hashable, items: Sequence[Q], call: Call[Q, A]) -> Done[A]:
        """The answers to some items; cancelled, they are dropped unless their pass has begun.

        Args:
            key: only jobs with equal keys go together.
            items: what to answer.
            call: answers the items of several jobs; that of the first is called.
        """
        return await asyncio.wrap_future(self.submit(key, items, call))

    def submit(self, key: Hashable, items: Sequence[Q], call: Call[Q, A]) -> Future[Done[A]]:
        """The same for callers that wait otherwise."""
        job = _Job(key, items, call)
        with self._ready:
            if self._closed:
                raise Problem(503, "The server is being stopped. Ask again later.", retry=5)
            self._jobs.append(job)
            self._ready.notify()
        return job.future

    def close(self, timeout: float | None = None) -> None:
        """Finish what is waiting, take nothing new, and end the thread."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        self._thread.join(timeout)

    def _work(self) -> None:
        while batch := self._take():
            jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._run(jobs)

    def _take(self) -> list[_AnyJob]:
        """The next jobs to go together; empty at the end."""
        with self._ready:
            while not self._jobs:
                if self._closed:
                    return []
                self._ready.wait()
            batch = [self._jobs.popleft()]
            until = monotonic() + self._wait
            while True:
                self._gather(batch)
                count = sum(len(job.items) for job in batch)
                here = count + sum(len(job.items) for job in self._jobs)
                left = until - monotonic()
                if count >= self._together or here >= self.pending or left <= 0 or self._closed:
                    return batch
                self._ready.wait(left)

    def _gather(self, batch: list[_AnyJob]) -> None:
        """Move waiting jobs with the same key into a batch, as far as they fit."""
        count = sum(len(job.items) for job in batch)
        rest: deque[_AnyJob] = deque()
        for job in self._jobs:
            if job.key == batch[0].key and count + len(job.items) <= self._together:
                batch.append(job)
                count += len(job.items)
            else:
                rest.append(job)
        self._jobs = rest

    def _run(self, jobs: Sequence[_AnyJob]) -> None:
        items = [item for job in jobs for item in job.items]
        began = monotonic()
        try:
            with measured() as seconds:
                answers, version = jobs[0].call(items)
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            for job in jobs:  # one failure must not fail the others
                self._run([job])
            return
        took = (monotonic() - began) / max(1, len(items))
        self._pace += 0.2 * (took - self._pace)
        if self._meter is not None:
            self._meter(self.name, len(items), seconds)
        start = 0
        for job in jobs:
            part = answers[start : start + len(job.items)]
            start += len(job.items)
            job.future.set_result(Done(part, version, dict(seconds), len(items)))
