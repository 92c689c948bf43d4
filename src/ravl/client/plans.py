"""Requests and the processing of replies, without the transport.

A plan is a generator: it yields a request or a pause, gets the reply, and returns the result of the
method. ``Client`` and ``AsyncClient`` execute the same plans.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypedDict, TypeVar

import httpx2 as httpx

from ravl.client.problems import LESS, sentence_of, unreachable
from ravl.errors import DataError

T = TypeVar("T")
LONGEST = 60.0  # maximal pause that a server can request, in seconds
BATCH = 64  # items per request; the usual limit of servers
BYTES = 16 << 20  # bytes of pictures per request; the usual limit of servers is twice as large


@dataclass
class Server:
    """A server as seen by a client.

    Args:
        url: the address, without a path below ``/v1``.
        retries: how often a temporarily refused request is repeated.
        batch: items per request; reduced when the server requires it.
    """

    url: str
    retries: int
    batch: int = BATCH


class Body(TypedDict, total=False):
    """What a request sends, as keywords of httpx."""

    params: Mapping[str, str | int | None]
    json: object
    data: Mapping[str, object]
    files: list[tuple[str, tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Args:
        method, path: of HTTP.
        body: ``params``, ``json``, ``data`` and ``files`` as in httpx.
        safe: True if it can be repeated even if it may have been answered.
        divisible: True if the caller can split it.
        stream: True if the reply is read as a stream.
    """

    method: str
    path: str
    body: Body = field(default_factory=Body)
    safe: bool = True
    divisible: bool = False
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The result of a plan."""

    value: T


# What a step gives: a reply, the reason why there is none, or None after a pause.
Outcome = httpx.Response | httpx.TransportError | ValueError | TypeError | None
Plan = Generator[Ask | Pause, Outcome, T]


@dataclass(frozen=True, slots=True)
class Opening:
    """The start of a stream.

    Args:
        task: the task of the streamed text.
        plan: returns the reply to read from.
    """

    task: str
    plan: Plan[httpx.Response]


def advance(plan: Plan[T], reply: Outcome = None) -> Ask | Pause | Done[T]:
    """The next step of a plan."""
    try:
        return plan.send(reply)
    except StopIteration as end:
        return Done(end.value)


def fetched(server: Server, ask: Ask, retries: int | None = None) -> Plan[httpx.Response]:
    """The reply, also if it is a problem; repeated after Retry-After while the server is busy.

    After 503 or a broken connection only safe requests are repeated; 429 means that the server did
    nothing.

    Raises:
        ServerError: there is no reply.
        DataError: a value cannot be sent.
    """
    for again in reversed(range(1 + (server.retries if retries is None else retries))):
        reply = yield ask
        if isinstance(reply, ValueError | TypeError):
            raise DataError(
                f"A value cannot be sent as JSON ({reply}). Leave it out, or convert it to a text."
            )
        if isinstance(reply, httpx.TransportError):
            if not (again and ask.safe and _broke(reply)):
                raise unreachable(server.url, reply) from reply
            continue
        assert reply is not None
        wait = _wait(reply, ask)
        if wait is None or wait > LONGEST or not again:
            break
        yield Pause(wait)
    assert isinstance(reply, httpx.Response)
    return reply


def _broke(error: httpx.TransportError) -> bool:
    """True if an existing connection was lost: a server closes idle connections."""
    return isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError)


def _wait(reply: httpx.Response, ask: Ask) -> float | None:
    """Seconds until the request is repeated; None if it is not repeated."""
    busy = reply.status_code == 429 or (reply.status_code == 503 and ask.safe)
    if not busy or (reply.status_code == 503 and ask.divisible and LESS in sentence_of(reply)):
        return None
    given = reply.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else 1.0
