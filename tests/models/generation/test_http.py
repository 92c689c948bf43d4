from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ravl.errors import EncoderError
from ravl.models.generation import http
from ravl.models.generation.http import RefusedError, Wire
from tests.models.generation.fake_server import FakeServer, answering, serving
from tests.waiting import PATIENCE

KEY = "sk-verysecret123"
BODY: dict[str, Any] = {"messages": [], "temperature": 0, "max_tokens": 5}


@pytest.fixture
def line(server: FakeServer) -> Wire:
    return Wire(server.address, timeout=PATIENCE, retries=3, pause=0.01)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000",
        "ftp://host/v1",
        "file:///etc/passwd",
        "http://",
        "http://host:port/v1",
        "http://a b/v1",
        "http://host/v1\r\nX: y",
        "http://user:pass@host/v1",
        "http://host/v1?key=1",
        "http://höst/v1",
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(EncoderError, match="The address of the server") as caught:
        Wire(address)
    assert "pass" not in str(caught.value).replace("password", "")


def test_it_asks_and_posts(line: Wire, server: FakeServer) -> None:
    assert line.ask("models") == {"data": [{"id": "tiny"}]}
    assert line.ask("chat/completions", BODY)["choices"]
    assert server.asked == [BODY]
    assert "Authorization" not in server.heads[0]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(line: Wire, server: FakeServer, code: int) -> None:
    server.script += [answering(code)] * 3
    assert line.ask("chat/completions", BODY)["choices"]
    assert len(server.asked) == 4
    server.script += [answering(code, {"error": {"message": "too much"}})] * 4
    with pytest.raises(RefusedError, match=f"answers {code}.*too much"):
        line.ask("chat/completions", BODY)
    assert len(server.asked) == 8


def test_pauses_grow_and_the_server_may_name_them(
    line: Wire, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.script += [answering(503), answering(503), answering(429, Retry_After="7")]
    line.ask("chat/completions", BODY)
    server.script += [answering(429, Retry_After="99999")]
    line.ask("chat/completions", BODY)
    assert [p for p in pauses if p] == [0.01, 0.02, 7, 30]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (400, "answers 400: wrong shape"),
        (401, "set RAVL_OPENAI_KEY"),
        (403, "may not"),
        (404, "no such model.*it says: wrong shape"),
        (418, "wrong shape"),
    ],
)
def test_other_errors_are_told_at_once(
    line: Wire, server: FakeServer, code: int, words: str
) -> None:
    server.script.append(answering(code, {"error": {"message": "wrong\nshape."}}))
    with pytest.raises(RefusedError, match=words) as caught:
        line.ask("chat/completions", BODY)
    assert caught.value.code == code and len(server.asked) == 1


@pytest.mark.parametrize("data", [b"<html>", b"[]", b"", b"\xff", b"[" * 100_000, b"7"])
def test_what_is_no_json_object(line: Wire, server: FakeServer, data: bytes) -> None:
    server.script.append(answering(200, data))
    with pytest.raises(EncoderError, match="no JSON object"):
        line.ask("chat/completions", BODY)


def test_an_error_with_a_good_status(line: Wire, server: FakeServer) -> None:
    server.script.append(answering(200, {"error": "out of memory"}))
    with pytest.raises(EncoderError, match="says: out of memory"):
        line.ask("chat/completions", BODY)
    server.script.append(answering(200, {"error": None, "choices": []}))
    assert line.ask("chat/completions", BODY)["choices"] == []


def test_too_large(line: Wire, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1 << 20)
    server.script.append(answering(200, b'{"a": "' + b"x" * (2 << 20) + b'"}'))
    with pytest.raises(EncoderError, match="more than 1 megabytes"):
        line.ask("chat/completions", BODY)


def test_too_slow(server: FakeServer) -> None:
    over = threading.Event()
    server.hold = over.wait
    hasty = Wire(server.address, timeout=0.1, retries=3, pause=0.01)  # any speed: no answer
    with pytest.raises(EncoderError, match="did not answer within 0.1 s"):
        hasty.ask("chat/completions", BODY)
    over.set()


def test_a_byte_now_and_then_is_too_slow_as_well(server: FakeServer) -> None:
    def dripping(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        while not over.wait(0.03):  # any speed: a slow drip
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    over = threading.Event()
    server.script.append(dripping)
    with pytest.raises(EncoderError, match="did not answer"):
        Wire(server.address, timeout=0.05).ask("chat/completions", BODY)  # any speed: no answer
    over.set()


def test_half_an_answer(line: Wire, server: FakeServer) -> None:
    def half(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"choices"')
        handler.close_connection = True

    def nothing(handler: Any) -> None:
        handler.close_connection = True

    server.script += [half, nothing]
    with pytest.raises(EncoderError, match="no JSON object|cannot be reached"):
        line.ask("chat/completions", BODY)
    with pytest.raises(EncoderError, match="cannot be reached"):
        line.ask("chat/completions", BODY)


def test_nobody_there() -> None:
    with serving() as server:
        address = server.address
    with pytest.raises(EncoderError, match=r"cannot be reached \(Connection refused\)"):
        Wire(address).ask("models")


def test_the_key_is_sent_and_told_to_nobody(
    line: Wire, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("RAVL_OPENAI_KEY", f" {KEY}\n")
    line.ask("models")
    assert server.heads[0]["Authorization"] == f"Bearer {KEY}"
    server.script += [answering(401, {"error": {"message": f"{KEY} is wrong"}})]
    server.script += [answering(200, {"error": f"no {KEY} here"})]
    for _ in range(2):
        with pytest.raises(EncoderError) as caught:
            line.ask("chat/completions", BODY)
        assert KEY not in repr(caught.value) and "***" in str(caught.value)
        assert caught.value.__cause__ is None
    assert KEY not in repr(vars(line))
    for broken in (f"{KEY}\r\nX: y", f"{KEY}é", f"{KEY} {KEY}"):
        monkeypatch.setenv("RAVL_OPENAI_KEY", broken)
        with pytest.raises(EncoderError, match="holds characters") as caught:
            line.ask("models")
        assert KEY not in str(caught.value)


def test_no_redirect_is_followed(
    line: Wire, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVL_OPENAI_KEY", KEY)
    with serving() as other:
        for code in (301, 302, 307):
            server.script.append(answering(code, Location=f"{other.address}/models"))
            with pytest.raises(RefusedError, match=f"answers {code}"):
                line.ask("chat/completions", BODY)
        assert not other.heads


def sending(data: bytes) -> Any:
    def send(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for i in range(0, len(data), 7):  # in the midst of lines and characters
            handler.wfile.write(data[i : i + 7])
            handler.wfile.flush()

    return send


def test_events(line: Wire, server: FakeServer) -> None:
    wanted = {"a": "小狗 🐕"}
    text = f": hello\r\nevent: x\r\ndata: {json.dumps(wanted, ensure_ascii=False)}\r\n\r\n"
    server.script.append(sending(f'{text}data:{{"b": 1}}\n\ndata: [DONE]\n\ndata: no\n'.encode()))
    assert list(line.events("chat/completions", BODY)) == [wanted, {"b": 1}]
    server.script.append(sending(b'data: {"b": 1}'))  # and no end
    assert list(line.events("chat/completions", BODY)) == [{"b": 1}]
    server.script.append(answering(200, {"whole": 1}))
    assert list(line.events("chat/completions", BODY)) == [{"whole": 1}]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"data: {broken\n\n", "no JSON object"),
        (b'data: {"error": {"message": "overloaded"}}\n\n', "says: overloaded"),
    ],
)
def test_broken_events(line: Wire, server: FakeServer, data: bytes, words: str) -> None:
    server.script.append(sending(b'data: {"good": 1}\n\n' + data))
    events: Iterator[Any] = line.events("chat/completions", BODY)
    assert next(events) == {"good": 1}
    with pytest.raises(EncoderError, match=words):
        next(events)
