"""Texts word by word, to their end and before."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.client import ServerError
from ravl.errors import PictureError, QueryError
from ravl.serving.models import Served
from ravl.serving.service import Service
from ravl.tasks.ask.writing import OpenAskPipeline
from tests.client.conftest import KINDS, Running
from tests.serving.helpers import png
from tests.serving.test_streaming import ENDLESS, Typist, WithGenerator, with_generator
from tests.waiting import PATIENCE, wait_until


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_word_by_word(running: Running, connect, kind: str):
    client = connect(running(prepare=with_generator(Typist()))[0], kind)
    assert list(client.stream(png("red"), k=3)) == ["a ", "red ", "thing"]
    assert client.runs()[0].streams


def test_a_stream_ends_with_its_answer(running: Running, connect):
    client = connect(running(prepare=with_generator(Typist()))[0])
    stream = client.stream(client.get("red/0.png"), k=3)
    assert stream.answer is None
    pieces = iter(stream)
    assert next(pieces) == "a " and len(stream.evidence) == 3
    assert list(pieces) == ["red ", "thing"]
    assert stream.answer is not None and stream.answer.said == "a red thing"
    assert stream.answer.evidence == stream.evidence
    assert stream.answer.origin.version == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_answer(running: Running, connect, kind: str):
    def prepare(service: Service) -> None:
        model: Any = WithGenerator(service.memory, Typist())
        model.predictor = OpenAskPipeline(service.memory, generator=Typist())
        service.models.insert(0, Served("typist", "ask", model, service._batcher("typist")))

    client = connect(running(prepare=prepare)[0], kind)
    assert "".join(client.stream(png("red"), "what colour is it?")) == "a red thing"


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_stream_is_one_piece(client, shop: Path, kind: str):
    assert list(client.stream(png("blue"))) == ["a blue thing"]
    assert list(client.stream(png("blue"), "what colour is it?")) == ["blue"]


def test_what_is_wrong_is_said_before_the_first_piece(running: Running, connect):
    client = connect(running()[0])
    with pytest.raises(PictureError, match="not a picture"):
        client.stream(b"none")
    with pytest.raises(QueryError, match="No run 'best'"):
        client.stream(png("red"), run="best")


def test_a_stream_that_is_left_stops_the_writing(running: Running, connect):
    typist = Typist(pieces=ENDLESS, seconds=0.005)
    url, service = running(prepare=with_generator(typist))
    for piece in connect(url).stream(png("red")):
        assert piece
        break
    wait_until(lambda: not service.pending()["typist"])
    assert typist.ended.wait(PATIENCE)
    with connect(url).stream(png("red")) as stream:
        assert next(iter(stream))
    wait_until(lambda: not service.pending()["typist"])


def test_a_task_that_is_cancelled_stops_the_writing(running: Running):
    typist = Typist(pieces=ENDLESS, seconds=0.005)
    url, service = running(prepare=with_generator(typist))

    async def main() -> None:
        async with ravl.AsyncClient(url) as client:

            async def read() -> None:
                async for _ in client.stream(png("red")):
                    begun.set()

            begun = asyncio.Event()
            task = asyncio.create_task(read())
            await asyncio.wait_for(begun.wait(), PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    wait_until(lambda: not service.pending()["typist"])
    assert typist.ended.wait(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_wrong_in_the_middle_is_an_error(running: Running, connect, kind: str):
    class Broken(Typist):
        def stream(self, request: Any, how: Any = None) -> Any:
            yield "a "
            raise QueryError("The ink is out.")

    client = connect(running(prepare=with_generator(Broken()))[0], kind)
    heard = []
    with pytest.raises(QueryError, match="The ink is out"):
        for piece in client.stream(png("red")):
            heard.append(piece)
    assert heard == ["a "]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_goes_away_is_an_error(connect, kind: str):
    """One that says half of what it wanted to and closes the connection."""
    import socket
    import threading

    listening = socket.create_server(("127.0.0.1", 0))
    heard_all = bytearray()

    def half() -> None:
        connection, _ = listening.accept()
        with connection:
            while not heard_all.endswith(b"--\r\n"):  # the end of a form
                heard_all.extend(connection.recv(1 << 16))
            event = b'event: token\ndata: {"text": "a "}\n\n'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(event), event)
            )

    thread = threading.Thread(target=half)
    thread.start()
    client = connect(f"http://127.0.0.1:{listening.getsockname()[1]}", kind)
    heard = []
    with pytest.raises(ServerError, match="broke"):
        for piece in client.stream(png("red")):
            heard.append(piece)
    assert heard == ["a "]
    thread.join()
    listening.close()
