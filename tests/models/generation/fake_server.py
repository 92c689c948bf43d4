"""A small server of a chat API in a thread, whose model is a hash, and that can misbehave."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

WORDS = ("a", "red", "blue", "dog", "shirt", "runs", "on", "the", "beach", "小狗", "🐕", "green")


class FakeServer(ThreadingHTTPServer):
    """Answers as OpenAI's API does; notes what it was asked.

    Attributes:
        asked: bodies of the chat requests, in order.
        heads: headers of all requests.
        script: what the next requests get instead of an answer: called with the handler, first
            come first served; empty for answers.
        tells: whether it gives log probabilities; None to refuse requests for them.
        hold: called before each chat request is answered; may wait.
        most: requests that were in flight at a time.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.script: list[Callable[[_Handler], None]] = []
        self.tells: bool | None = True
        self.streams = True
        self.hold: Callable[[], object] = bool
        self.lock = Lock()
        self.flying = self.most = 0

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the tests."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving() -> Iterator[FakeServer]:
    server = FakeServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answering(code: int, body: object = None, **headers: str) -> Callable[[_Handler], None]:
    """A script's line: this status and JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

    def answer(handler: _Handler) -> None:
        handler.reply(code, data, **headers)

    return answer


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.server.heads.append(dict(self.headers))
        models = [{"id": "tiny"}] if self.path == "/v1/models" else []
        self.reply(200 if models else 404, json.dumps({"data": models}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.heads.append(dict(self.headers))
            server.asked.append(body)
            server.flying += 1
            server.most = max(server.most, server.flying)
            line = server.script.pop(0) if server.script else None
        try:
            server.hold()
            if line is not None:
                line(self)
            elif body.get("logprobs") and server.tells is None:
                words = {"error": {"message": "logprobs are not supported"}}
                self.reply(400, json.dumps(words).encode())
            elif body.get("stream") and server.streams:
                self.stream(_words(body, 0))
            else:
                self.reply(200, json.dumps(self.answer(body)).encode())
        finally:
            with server.lock:
                server.flying -= 1

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        choices = []
        for i in range(body.get("n", 1)):
            words = _words(body, i)
            choice: dict[str, Any] = {"message": {"content": " " + " ".join(words) + "\n"}}
            if body.get("logprobs") and self.server.tells:
                choice["logprobs"] = {"content": [{"logprob": -0.5 - i} for _ in words]}
            choices.append(choice)
        return {"choices": choices, "usage": {"completion_tokens": sum(map(len, choices))}}

    def stream(self, words: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.wfile.write(b": keep alive\n\n")
        for word in words:
            event = {"choices": [{"delta": {"content": f" {word}"}}]}
            self.wfile.write(f"data: {json.dumps(event)}\r\n\r\n".encode())
            self.wfile.flush()
        self.wfile.write(b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]\n\n')


def _words(body: dict[str, Any], choice: int) -> list[str]:
    """What its model says: a hash of what it was asked; of the seed too, if it is hot."""
    hot = body["temperature"] > 0
    asked = [body["messages"], choice, body.get("seed") if hot else 0]
    seed = zlib.crc32(json.dumps(asked).encode())
    return [WORDS[(seed >> i) % len(WORDS)] for i in range(min(body["max_tokens"], 7))]
