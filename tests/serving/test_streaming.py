"""Texts as they are written, by server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from ravl.memory import Memory
from ravl.serving.models import Served
from ravl.serving.service import Service
from ravl.tasks.ask.writing import OpenAskPipeline
from ravl.tasks.caption.model import CaptionPipeline
from tests.serving.conftest import Client
from tests.serving.helpers import events
from tests.tasks.caption.fakes import FakeGenerator
from tests.waiting import PATIENCE, pause, wait_until


class Typist(FakeGenerator):
    """Writes slowly, so many pieces; ``ended`` once it is at the end, or was left before it."""

    def __init__(self, pieces: int = 3, seconds: float = 0.0) -> None:
        super().__init__()
        self.pieces, self.seconds = pieces, seconds
        self.written = 0
        self.streamed: Any = None
        self.go, self.ended = threading.Event(), threading.Event()
        self.go.set()

    def stream(self, request: Any, how: Any = None) -> Iterator[str]:
        self.streamed = how
        try:
            for i in range(self.pieces):
                assert self.go.wait(PATIENCE)
                pause(self.seconds)
                self.written += 1
                yield ("a ", "red ", "thing")[i] if i < 3 else " more"
        finally:
            self.ended.set()


class WithGenerator:
    """A model of the memory whose captions are written."""

    run = None

    def __init__(self, memory: Memory, generator: Typist) -> None:
        self.memory = memory
        self.predictor = CaptionPipeline(memory, generator=generator)

    def pipeline(self, task: str) -> Any:
        return self.predictor

    def close(self) -> None:
        pass


def with_generator(generator: Typist) -> Callable[[Service], None]:
    def prepare(service: Service) -> None:
        model: Any = WithGenerator(service.memory, generator)
        service.models.insert(0, Served("typist", "caption", model, service._batcher("typist")))

    return prepare


def test_a_generator_is_heard_word_by_word(client: Client, red: bytes):
    api = client(prepare=with_generator(Typist()))
    assert api.get("/v1/runs").json()["runs"][0]["streams"]
    response = api.post("/v1/caption/stream", files={"picture": red}, data={"k": 3})
    assert response.headers["content-type"].startswith("text/event-stream")
    found = [(name, json.loads(data)) for name, data in events(response.text)]
    assert [name for name, _ in found] == ["evidence", "token", "token", "token", "answer"]
    assert len(found[0][1]["evidence"]) == 3
    assert found[0][1]["evidence"][0]["thumbnail"].startswith("/v1/thumbnail?id=red")
    assert "".join(data["text"] for name, data in found if name == "token") == "a red thing"
    answer = found[-1][1]
    assert answer["answer"]["text"] == "a red thing" and answer["answer"]["written"]
    assert answer["answer"]["evidence"] == found[0][1]["evidence"]
    assert answer["memory"]["version"] == 1 and answer["timings"]["generate"] >= 0


def test_an_open_answer_is_heard_word_by_word(client: Client, red: bytes):
    typist = Typist()

    def prepare(service: Service) -> None:
        model: Any = WithGenerator(service.memory, typist)
        model.predictor = OpenAskPipeline(service.memory, generator=typist)
        service.models.insert(0, Served("typist", "ask", model, service._batcher("typist")))

    api = client(prepare=prepare)
    body = {"question": "what colour is it?", "max_new_tokens": "7", "instruction": "briefly"}
    response = api.post("/v1/ask/stream", files={"picture": red}, data=body)
    assert typist.streamed.max_new_tokens == 7
    found = [(name, json.loads(data)) for name, data in events(response.text)]
    assert [name for name, _ in found] == ["evidence", "token", "token", "token", "answer"]
    assert found[0][1]["evidence"][0]["says"][0] == "what colour is it?"
    assert found[-1][1]["answer"]["answer"] == "a red thing"
    assert found[-1][1]["answer"]["question"] == "what colour is it?"


def test_who_cannot_stream_answers_at_once(client: Client, red: bytes):
    api = client()
    plain = api.post("/v1/caption", files={"picture": red}).json()
    found = list(events(api.post("/v1/caption/stream", files={"picture": red}).text))
    assert [name for name, _ in found] == ["answer"]
    assert json.loads(found[0][1])["answer"] == plain["answer"]
    body = {"picture": {"id": "red/0.png"}, "question": "what colour is it?"}
    asked = list(events(api.post("/v1/ask/stream", json=body).text))
    assert json.loads(asked[0][1])["answer"]["answer"] == "red"


def test_what_is_wrong_is_told_before_the_stream_begins(client: Client, red: bytes):
    api = client(prepare=with_generator(Typist()))
    assert api.post("/v1/caption/stream", json={}).status_code == 422
    broken = api.post("/v1/caption/stream", files={"picture": red[:50]})
    assert broken.status_code == 422


ENDLESS = 10**9  # pieces


def test_what_goes_wrong_later_is_an_event(
    client: Client, red: bytes, monkeypatch: pytest.MonkeyPatch
):
    typist, timeout = Typist(ENDLESS, 0.01), asyncio.timeout
    api: Any = client(prepare=with_generator(typist))
    monkeypatch.setattr("ravl.serving.routes.streaming.asyncio.timeout", lambda _: timeout(0.4))
    found = list(events(api.post("/v1/caption/stream", files={"picture": red}).text))
    assert found[-1][0] == "problem" and json.loads(found[-1][1])["status"] == 503
    wait_until(lambda: not api.app.state.service.pending()["typist"])
    assert typist.ended.wait(PATIENCE), "the thread has stopped as well"


def test_who_leaves_stops_the_writing(running: Any, red: bytes):
    typist = Typist(ENDLESS, 0.01)
    url, service = running(prepare=with_generator(typist))
    address = f"{url}/v1/caption/stream"
    with httpx.stream("POST", address, files={"picture": red}, timeout=PATIENCE) as response:
        for line in response.iter_lines():
            if line == "event: token":
                break
    wait_until(lambda: not service.pending()["typist"])
    assert typist.ended.wait(PATIENCE)
