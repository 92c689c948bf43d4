"""Streamed texts: iterate over the pieces, then use the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

import httpx2 as httpx

from ravl.client import reading
from ravl.client.plans import Server
from ravl.client.problems import ServerError, refusal, unreachable
from ravl.json_types import JsonValue
from ravl.runs.answers import Answer, Evidence
from ravl.tasks import registry
from ravl.untrusted import damage_of, parse_json


class StreamState:
    """The state of a stream.

    Attributes:
        evidence: the rows of the evidence; available before the first piece if a generator writes.
        answer: the complete answer; None before the last piece.
    """

    def __init__(self, server: Server, task: str) -> None:
        self._server, self._task = server, task
        self._heard = False
        self.evidence: tuple[Evidence, ...] = ()
        self.answer: Answer | None = None

    def _hear(self, event: httpx.ServerSentEvent) -> str:
        """The piece of text in an event; a text that is not streamed is one piece.

        Raises:
            RavlError: an error occurred after the start.
        """
        with damage_of("An answer of the server", "Ask again, or upgrade the server."):
            data: JsonValue = parse_json(event.data)
        if event.event == "problem":
            raise refusal(data)
        if event.event == "evidence":
            self.evidence = reading.evidence(data["evidence"])
        elif event.event == "token":
            self._heard = True
            return str(data["text"])
        elif event.event == "answer":
            answer = {**reading.UNJUDGED, **data["answer"]}
            self.answer = reading.answer(self._task, answer, data)
            self.evidence = self.answer.evidence
            field = registry.of_command(self._task)[0].field
            return "" if self._heard else str(data["answer"][field])
        return ""

    def _end(self) -> None:
        """Raise an error if the stream was interrupted."""
        if self.answer is None:
            raise ServerError(
                f"{self._server.url} stopped before the text was complete. Check whether it still "
                "runs, and try again."
            )


class Stream(StreamState):
    """Pieces of a text, from a :class:`ravl.Client`; close it to stop the server."""

    def __init__(self, server: Server, task: str, response: httpx.Response) -> None:
        super().__init__(server, task)
        self._response = response

    def __iter__(self) -> Iterator[str]:
        try:
            for event in httpx.EventSource(self._response):
                if piece := self._hear(event):
                    yield piece
        except httpx.TransportError as error:
            raise unreachable(self._server.url, error) from error
        finally:
            self._response.close()
        self._end()

    def close(self) -> None:
        """Stop reading."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncStream(StreamState):
    """The same from a :class:`ravl.AsyncClient`; iteration starts the request."""

    def __init__(
        self, server: Server, task: str, opened: Callable[[], Awaitable[httpx.Response]]
    ) -> None:
        super().__init__(server, task)
        self._opened = opened

    async def __aiter__(self) -> AsyncIterator[str]:
        response = await self._opened()
        try:
            async for event in httpx.EventSource(response):
                if piece := self._hear(event):
                    yield piece
        except httpx.TransportError as error:
            raise unreachable(self._server.url, error) from error
        finally:
            await response.aclose()
        self._end()
