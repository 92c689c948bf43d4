"""``Client`` and ``AsyncClient``: transport; the requests are in :mod:`.methods`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Self, TypedDict, TypeVar

import httpx2 as httpx

from ravl.client.decorators import Page
from ravl.client.methods import Methods
from ravl.client.plans import Ask, Done, Opening, Outcome, Pause, Plan, Server, advance
from ravl.client.streams import AsyncStream, Stream
from ravl.errors import QueryError

T = TypeVar("T")
CONNECT = 10.0  # seconds until the connection to a server times out
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Client(Methods):
    """A server of ``ravl serve``, used like a memory and a model at once.

    Args:
        url: the address of the server, such as ``http://127.0.0.1:8000``.
        key: the key, if the server needs one. It is not encrypted by the client: use https, except
            on this machine.
        timeout: seconds until a request times out; servers have a limit of 30 by default.
        retries: how often a request to a busy server is repeated, after the time that the server
            gives.

    Raises:
        QueryError: the address or the key is not valid.

    Example:
        >>> with ravl.Client("http://127.0.0.1:8000") as client:
        ...     client.search("a red shirt", k=5)
        ...     client.classify(["new.jpg", "old.jpg"], abstain=0.05)
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60.0, retries: int = 3
    ) -> None:
        self._server = Server(address(url), retries)
        self._http = httpx.Client(**_settings(self._server.url, key, timeout))

    def __repr__(self) -> str:
        return f"Client({self._server.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, plan: Plan[T]) -> T:
        step = advance(plan)
        while not isinstance(step, Done):
            step = advance(plan, self._step(step))
        return step.value

    def _step(self, step: Ask | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            request = self._http.build_request(step.method, step.path, **step.body)
        except (ValueError, TypeError) as error:  # a value that JSON cannot represent
            return error
        try:
            reply = self._http.send(request, stream=step.stream)
            if reply.is_error:
                reply.read()
            return reply
        except httpx.TransportError as error:
            return error

    def _pages(self, page: Page[T]) -> Iterator[T]:
        after: int | None = 0
        while after is not None:
            found, after = self._run(page(after))
            yield from found

    def _listen(self, opening: Opening) -> Stream:
        return Stream(self._server, opening.task, self._run(opening.plan))


class AsyncClient(Methods):
    """The same for asyncio: await the methods; iterate ``rows`` and ``stream`` with ``async for``.

    Example:
        >>> async with ravl.AsyncClient("http://127.0.0.1:8000") as client:
        ...     await client.search("a red shirt", k=5)
        ...     async for piece in client.stream("new.jpg"):
        ...         print(piece, end="")
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60.0, retries: int = 3
    ) -> None:
        self._server = Server(address(url), retries)
        self._http = httpx.AsyncClient(**_settings(self._server.url, key, timeout))

    def __repr__(self) -> str:
        return f"AsyncClient({self._server.url!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, plan: Plan[T]) -> T:
        # In a thread: a plan reads and encodes pictures, which must not block other tasks.
        step = await asyncio.to_thread(advance, plan)
        while not isinstance(step, Done):
            step = await asyncio.to_thread(advance, plan, await self._step(step))
        return step.value

    async def _step(self, step: Ask | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            request = self._http.build_request(step.method, step.path, **step.body)
        except (ValueError, TypeError) as error:  # a value that JSON cannot represent
            return error
        try:
            reply = await self._http.send(request, stream=step.stream)
            if reply.is_error:
                await reply.aread()
            return reply
        except httpx.TransportError as error:
            return error

    async def _pages(self, page: Page[T]) -> AsyncIterator[T]:
        after: int | None = 0
        while after is not None:
            found, after = await self._run(page(after))
            for item in found:
                yield item

    def _listen(self, opening: Opening) -> AsyncStream:
        return AsyncStream(self._server, opening.task, lambda: self._run(opening.plan))


class Settings(TypedDict):
    """Keywords of httpx's clients."""

    base_url: str
    auth: Bearer | None
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


class Bearer(httpx.Auth):
    """Sends a key, and hides it in messages."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the key to the header."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def address(url: str) -> str:
    """A server's address.

    Raises:
        QueryError: the address is not valid, or contains a password.
    """
    try:
        found = httpx.URL(url.strip())
    except (httpx.InvalidURL, TypeError):
        found = httpx.URL("")
    if found.userinfo:
        raise QueryError(
            "The server's address contains a user name or password. Give a key as key=..."
        )
    if found.scheme not in ("http", "https") or not found.host or found.query or found.fragment:
        raise QueryError(f"{url!r} is not a server's address. Write it like http://127.0.0.1:8000.")
    return str(found).rstrip("/").removesuffix("/v1")


def _settings(url: str, key: str | None, timeout: float) -> Settings:
    if key is not None and not re.fullmatch(r"[!-~]+", key.strip()):  # do not repeat the key
        raise QueryError("The key is empty or contains invalid characters. Copy it again.")
    return {
        "base_url": url,
        "auth": Bearer(key.strip()) if key is not None else None,
        "headers": {"User-Agent": "ravl"},
        "timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT)),
        "trust_env": httpx.URL(url).host not in LOOPBACK,  # no proxy for this machine
    }
