"""A server's state: memory, models, keys, limits, and the threads that work for them."""

from __future__ import annotations

import asyncio
import contextvars
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from PIL import Image

from ravl.drift.windows import RATE, WINDOW, check_windows
from ravl.errors import DataError
from ravl.retrieval import Hits, Query
from ravl.retrieval.reranking import Reranker
from ravl.runs.answers import Answer
from ravl.serving.audit import Audit
from ravl.serving.batching import Batcher, Done
from ravl.serving.decoding import Decoders
from ravl.serving.fetching import Fetcher
from ravl.serving.following import RunWatcher, blank
from ravl.serving.keys import ANYONE, Caller, Keys
from ravl.serving.limits import Limits
from ravl.serving.metrics import Metrics
from ravl.serving.models import Options, Served, open_models, search_call
from ravl.serving.monitor import Monitor
from ravl.serving.problems import Problem
from ravl.serving.rate import Rate
from ravl.serving.thumbnails import Thumbnails
from ravl.store.sqlite.feedback import FeedbackStore, beside

P = ParamSpec("P")
R = TypeVar("R")
READERS = 4  # threads that decode pictures and read rows; each has a connection to the memory
SEARCH = "memory:search"  # no folder of a run is called so


class Service:
    """All that the endpoints need.

    Args:
        places: runs, by their folder; or a memory.
        memory: to answer from, instead of the runs' own.
        keys: who may ask; None for anyone, which is for loopback alone.
        limits: of requests.
        allow_urls: whether pictures may be given by URL.
        audit: where writes are logged; None for a file beside the memory.
        feedback: where feedback is kept; None for a file beside the memory.
        drift_window: answered pictures that the watch for drift tests together.
        drift_rate: share of such windows that alarm where nothing has changed.

    Raises:
        RavlError: see :func:`open_models`, and :func:`check_windows`.
    """

    def __init__(
        self,
        places: Sequence[str | Path],
        memory: str | Path | None = None,
        *,
        keys: Keys | None = None,
        limits: Limits | None = None,
        allow_urls: bool = False,
        audit: Path | None = None,
        feedback: Path | None = None,
        drift_window: int = WINDOW,
        drift_rate: float = RATE,
    ) -> None:
        check_windows(drift_window, drift_rate)
        self.keys = keys
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.ready = False
        self._batchers: dict[str, Batcher] = {}
        paths = [Path(place) for place in places]
        self.memory, self.models = open_models(
            paths, Path(memory) if memory is not None else None, self._batcher
        )
        self.search = self._batcher(SEARCH)
        path = self.memory.path
        try:
            if not (audit and feedback) and not os.access(path.parent, os.W_OK):
                raise DataError(
                    f"Nothing can be written beside {path}. Name other places for the log of "
                    "changes and for feedback: ravl serve --audit FILE --feedback FILE"
                )
            self.audit = Audit(audit or path.with_name(f"{path.name}.audit"))
            self.feedback = FeedbackStore(feedback or beside(path))
            watch = path.with_name(f"{path.name}.drift")
            self.monitor = Monitor(watch, self.models, self.metrics, drift_window, drift_rate)
            self.follower = RunWatcher(self.models, self._exchanged)
        except BaseException:
            self.memory.close()
            raise
        self.fetcher = Fetcher(self.limits.body) if allow_urls else None
        self.thumbnails = Thumbnails(self.memory, self.limits.pixels)
        self._rate = Rate(self.limits.rate)
        self._readers = ThreadPoolExecutor(READERS, "ravl reader")
        self.decoders = Decoders(self.limits.pixels)
        self._writer = ThreadPoolExecutor(1, "ravl writer")
        self._rerankers: dict[str, Reranker] = {}

    def _batcher(self, name: str) -> Batcher:
        limits = self.limits
        self.metrics.model(name)
        self._batchers[name] = Batcher(
            name,
            queue=limits.queue,
            together=limits.together,
            wait=limits.wait,
            meter=self.metrics.passed,
        )
        return self._batchers[name]

    # --- who and what ------------------------------------------------------------------------

    def caller(self, key: str | None, host: str) -> Caller:
        """Who asks, counted against the rate.

        Raises:
            Problem: 401 without a known key, 429 for too many requests.
        """
        if self.keys is None:  # this machine alone
            return ANYONE
        found = self.keys.caller(key) if key else None
        if found is None:
            self._rate.count(f"unknown {host}")
            raise Problem(
                401,
                "This server needs a key: send the header Authorization: Bearer KEY."
                if not key
                else "The key is not known here. Ask the people who run the server for one.",
            )
        self._rate.count(f"key {found.name}")
        return found

    def model(self, task: str, name: str | None = None) -> Served:
        """What answers a task: the first, or the one of that name.

        Raises:
            Problem: 404, there is none of that name.
        """
        offered = [served for served in self.models if served.task == task]
        for served in offered:
            if name in (None, served.name):
                return served
        names = ", ".join(served.name for served in offered)
        raise Problem(
            404, f"No run {str(name)[:80]!r} answers {task} here. There is: {names}.", kind="query"
        )

    @property
    def tasks(self) -> list[str]:
        """What is offered."""
        return list(dict.fromkeys(served.task for served in self.models))

    def reranker(self, name: str | None) -> Reranker | None:
        """The reranking of searches by a run.

        Raises:
            Problem: 404, there is no run of that name that can.
        """
        if name is None:
            return None
        if name not in self._rerankers:
            offered = [served for served in self.models if served.kind.reranks]
            found = next((served for served in offered if served.name == name), None)
            if found is None:
                names = ", ".join(served.name for served in offered) or "none"
                raise Problem(
                    404,
                    f"No run {name[:80]!r} can rerank searches here. There is: {names}.",
                    kind="query",
                )
            self._rerankers[name] = found.model.reranker()
        return self._rerankers[name]

    def pending(self) -> dict[str, int]:
        """Items that wait or are being answered, by model."""
        return {name: batcher.pending for name, batcher in self._batchers.items()}

    # --- work ---------------------------------------------------------------------------------

    async def aside(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Read or decode in a thread of a few that have a connection to the memory."""
        return await self._in(self._readers, partial(work, *args, **kwargs))

    async def writing(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Change the memory in the one thread that does so."""
        return await self._in(self._writer, partial(work, *args, **kwargs))

    def saw(
        self, served: Served, options: Options, answers: Iterable[tuple[int | None, Answer]]
    ) -> None:
        """Count answers for the watch over drift, which nobody waits for; see :class:`Monitor`."""
        if self.monitor.watches(served, options):
            self._readers.submit(self.monitor.saw, served.name, answers)

    def _exchanged(self, served: Served) -> None:
        """What hangs on a run follows it."""
        self._rerankers.pop(served.name, None)
        self.monitor.follow(served)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, work: Callable[[], R]) -> R:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, context.run, work)

    # --- life ---------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load what is loaded late, and run each network once, in the thread that will run it.

        Raises:
            RavlError: a model cannot answer, for another reason than that the memory has nothing
                to say yet.
        """
        size = self.memory.encoder.picture_size
        query = Query("picture", Image.new("RGB", (size, size), (128, 128, 128)))
        jobs: list[Future[Done[Hits]] | Future[Done[Answer]]] = [
            self.search.submit(SEARCH, [query], search_call(self.memory, (), None))
        ]
        for served in self.models:
            jobs.append(served.batcher.submit(served.task, [blank(served)], served.call(())))
        for job in jobs:
            with suppress(DataError):
                job.result()
        self.follower.start()
        self.ready = True

    def close(self) -> None:
        """Finish what is under way, and let go of all files."""
        self.ready = False
        self.follower.close()
        for batcher in self._batchers.values():
            batcher.close(self.limits.shutdown)
        self._readers.shutdown()
        self.decoders.close()
        self._writer.shutdown()
        self.monitor.close()
        for served in self.models:
            served.model.close()
        self.audit.close()
        self.feedback.close()
        self.memory.close()


def request_id() -> str:
    """Twelve digits that identify a request."""
    return secrets.token_hex(6)
