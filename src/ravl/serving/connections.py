"""Connections: how many are open, how long they may take, and what the log says of them.

A request has deadlines once its headers are there. Before that, and while an answer is sent, only
the connection knows that a client is slow: here such connections end.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from uvicorn.protocols.http.h11_impl import H11Protocol

from ravl.serving.limits import Limits

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-type: application/problem+json\r\nretry-after: 1\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
SAME = 60.0  # seconds in which the log says the same only once


class Connection(H11Protocol):
    """One connection of a client; :func:`connection_type` sets the limits."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None  # until the headers are there
    _sender: asyncio.TimerHandle | None = None  # until the client has read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connects; one too many is told so and let go."""
        super().connection_made(transport)
        if len(self.connections) > open_files(self.limits.connections):
            transport.write(FULL)
            transport.close()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()  # for the rest of the headers, or of a body that is not read any more
        else:
            self._stop_waiting()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._sender = self.loop.call_later(self.limits.unread, self._end)

    def resume_writing(self) -> None:
        """The client has read."""
        self._stop_sending()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client, or the server, has ended it."""
        self._stop_waiting()
        self._stop_sending()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.headers, self._end)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _stop_sending(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
        self._sender = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


def connection_type(limits: Limits) -> type[Connection]:
    """The class of connections with these limits, as uvicorn takes it."""
    return type("Connection", (Connection,), {"limits": limits})


def open_files(most: int) -> int:
    """How many connections may be open: half of the files that the system lets a process open."""
    try:
        import resource
    except ImportError:  # not on Windows
        return most
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else min(most, soft // 2)


class Once(logging.Filter):
    """Lets a message of a server pass once a minute, so that a client cannot fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written."""
        now = monotonic()
        self._said = {text: at for text, at in self._said.items() if now - at < SAME}
        new = str(record.msg) not in self._said
        self._said.setdefault(str(record.msg), now)
        return new


def quieten() -> None:
    """Write each message about connections once a minute."""
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, Once) for each in logger.filters):
            logger.addFilter(Once())
