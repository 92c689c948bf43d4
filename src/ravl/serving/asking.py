"""From a request to an answer: who asks, the pictures, a place in the queue, the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from PIL import Image
from starlette.requests import Request

from ravl.errors import PictureError
from ravl.serving.batching import Batcher, Call, Done
from ravl.serving.bodies import PictureIn
from ravl.serving.guard import id_of_request
from ravl.serving.keys import ANYONE, Caller, Scope
from ravl.serving.problems import GONE, Problem
from ravl.serving.service import Service
from ravl.store.history import AUTHOR

R = TypeVar("R")
Q = TypeVar("Q")
A = TypeVar("A")


def caller_of(service: Service, request: Request, scope: Scope) -> Caller:
    """Who asks, if they may.

    Raises:
        Problem: 401, 403 or 429.
    """
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    key = given.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key")
    host = request.client.host if request.client else ""
    caller = service.caller(key, host)
    if not caller.may(scope):
        raise Problem(403, f"This takes a key with the scope {scope}; yours may {caller.scope}.")
    if caller is not ANYONE:
        AUTHOR.set(caller.name)  # of this request, which has a context of its own
    return caller


@dataclass
class Asking:
    """One request for answers, with its clock.

    Args:
        service: that answers.
        request: of the client.
    """

    service: Service
    request: Request
    began: float = field(default_factory=monotonic)
    decode: float = 0.0

    @property
    def number(self) -> str:
        """Identifies it."""
        return id_of_request(self.request.scope)

    async def answered(
        self,
        batcher: Batcher,
        count: int,
        key: Hashable,
        call: Call[Q, A],
        items: Callable[[], Awaitable[Sequence[Q]]],
    ) -> tuple[Done[A], dict[str, float]]:
        """Answers to items that are decoded first, and the seconds of each step.

        Args:
            batcher: of the model.
            count: how many items there will be.
            key: what jobs must have in common to go together.
            call: answers a list of items.
            items: decodes them.

        Raises:
            Problem: 429 without a place, 503 after the deadline, 499 when the client has gone.
        """

        async def work() -> tuple[Done[A], float, float]:
            with batcher.place(count):
                began = monotonic()
                found = await items()
                decoded = monotonic()
                return await batcher.answer(key, found, call), decoded - began, decoded

        done, decode, since = await self.in_time(work())
        ended = monotonic()
        steps = {k: v for k, v in done.seconds.items() if k != "decode"}
        decode += done.seconds.get("decode", 0.0)
        queue = max(0.0, ended - since - sum(done.seconds.values()))
        self.service.metrics.steps(batcher.name, {"decode": decode})
        return done, {"decode": decode, "queue": queue, **steps, "total": ended - self.began}

    async def in_time(self, work: Awaitable[R]) -> R:
        """What some work returns, unless the deadline or the client's leave comes first."""
        limit = self.service.limits.deadline
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({task, gone}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise Problem(GONE, "The client has gone.")
            raise Problem(
                503, f"No answer came within {limit:g} s. Ask again later, or for less.", retry=5
            )
        finally:
            for each in (task, gone):
                each.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await each

    async def _gone(self) -> None:
        """Returns when the client leaves."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def picture(self, source: bytes | PictureIn, hint: int) -> Image.Image:
        """A picture that was sent or named, decoded as the model would.

        Raises:
            PictureError, RowNotFoundError: it cannot be had; not by URL where that is not allowed.
            Problem: 413 or 429, it is too large; see :class:`ravl.serving.decoding.Decoders`.
        """
        return (await self.pictures([source], hint))[0]

    async def pictures(self, sources: Sequence[bytes | PictureIn], hint: int) -> list[Image.Image]:
        """Several of these, within one budget of pixels."""
        data = await asyncio.gather(*(self.encoded(source) for source in sources))
        return await self.service.decoders.decode(data, hint)

    async def each_picture(
        self, sources: Sequence[bytes | PictureIn], hint: int
    ) -> list[Image.Image | PictureError]:
        """Each picture, or why it cannot be had; within one budget of pixels."""
        data = await asyncio.gather(*(self._encoded_or_why(source) for source in sources))
        sound = [one for one in data if not isinstance(one, PictureError)]
        opened = iter(await self.service.decoders.decode_each(sound, hint))
        return [one if isinstance(one, PictureError) else next(opened) for one in data]

    async def _encoded_or_why(self, source: bytes | PictureIn) -> bytes | PictureError:
        try:
            return await self.encoded(source)
        except PictureError as error:
            return error

    async def encoded(self, source: bytes | PictureIn) -> bytes:
        """A picture's file."""
        if isinstance(source, bytes):
            return source
        if source.base64 is not None:
            return bytes(source.base64)
        if source.id is not None:
            thumbnails = self.service.thumbnails

            def kept(id: str) -> bytes:
                return thumbnails.picture(thumbnails.row(id))[0]

            return await self.service.aside(kept, source.id)
        if self.service.fetcher is None:
            raise PictureError("This server takes no pictures by URL. Send the picture itself.")
        return await self.service.fetcher.get(source.url or "")
