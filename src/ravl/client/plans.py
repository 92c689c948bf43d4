"""What is sent, and what is made of the replies, apart from how bytes travel.

A plan is a generator: it yields what to send, or how long to wait, is sent the reply, and returns
what the caller gets. ``Client`` and ``AsyncClient`` carry out the same plans.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx2 as httpx

from ravl.client.problems import LESS, sentence_of, unreachable
from ravl.errors import DataError

T = TypeVar("T")
LONGEST = 60.0  # seconds that are waited because a server says so
BATCH = 64  # items of one request, as servers usually allow
BYTES = 16 << 20  # of the pictures of one request; servers usually allow twice as many


@dataclass
class Server:
    """A server as a client knows it.

    Args:
        url: without a path below ``/v1``.
        retries: how often what is refused for now is asked again.
        batch: items of one request; becomes smaller when the server says so.
    """

    url: str
    retries: int
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Args:
        method, path: of HTTP.
        body: ``params``, ``json``, ``data`` and ``files`` as httpx has them.
        safe: it may be repeated when nobody knows whether it was answered.
        divisible: the caller can ask for less at once.
        stream: the reply is read as it comes.
    """

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    safe: bool = True
    divisible: bool = False
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a plan returned."""

    value: T


Plan = Generator[Ask | Pause, Any, T]


@dataclass(frozen=True, slots=True)
class Opening:
    """How a stream begins.

    Args:
        task: whose text is heard.
        plan: gives the reply to read from.
    """

    task: str
    plan: Plan[httpx.Response]


def advance(plan: Plan[T], reply: Any = None) -> Ask | Pause | Done[T]:
    """The next step of a plan."""
    try:
        return plan.send(reply)
    except StopIteration as end:
        return Done(end.value)


def fetched(server: Server, ask: Ask, retries: int | None = None) -> Plan[httpx.Response]:
    """The reply, problems included; asked again while the server is busy, after Retry-After.

    Only what is safe to repeat is asked again after 503 or a broken connection; 429 says that
    nothing was done.

    Raises:
        ServerError: there is no reply.
        DataError: a value cannot be sent.
    """
    for again in reversed(range(1 + (server.retries if retries is None else retries))):
        reply = yield ask
        if isinstance(reply, ValueError | TypeError):
            raise DataError(
                f"That cannot be sent as JSON ({reply}). Leave it out, or make it a text."
            )
        if isinstance(reply, httpx.TransportError):
            if not (again and ask.safe and _broke(reply)):
                raise unreachable(server.url, reply) from reply
            continue
        wait = _wait(reply, ask)
        if wait is None or wait > LONGEST or not again:
            break
        yield Pause(wait)
    found: httpx.Response = reply
    return found


def _broke(error: httpx.TransportError) -> bool:
    """Whether a connection was lost that there had been: a server closes those that were idle."""
    return isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError)


def _wait(reply: httpx.Response, ask: Ask) -> float | None:
    """Seconds after which to ask again; None for not at all."""
    busy = reply.status_code == 429 or (reply.status_code == 503 and ask.safe)
    if not busy or (reply.status_code == 503 and ask.divisible and LESS in sentence_of(reply)):
        return None
    given = reply.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else 1.0
