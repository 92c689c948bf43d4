"""Clients that are slow on purpose, or many: they do not keep the server from the others."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from ravl.serving import connections
from ravl.serving.connections import Once, open_files
from tests.serving.helpers import patient
from tests.waiting import PATIENCE

Running = Callable[..., Any]
HEAD = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SLOW = {
    "nothing": b"",
    "half a line": b"GET /v1/hea",
    "half of the headers": HEAD + b"X-More: 1\r\n",
    "a second request, half": HEAD + b"\r\n" + HEAD,
    "a body that nobody reads any more": (
        b"POST /v1/search HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 1000\r\n\r\n{"
    ),
}


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    found = socket.create_connection((parts.hostname, parts.port), PATIENCE)
    found.settimeout(PATIENCE)
    return found


def ends(client: socket.socket) -> bytes:
    """What the server still says before it ends the connection; fails if it does not end it."""
    said = b""
    try:
        while data := client.recv(65536):
            said += data
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize("how", SLOW)
def test_a_connection_that_stops_in_the_middle_ends(running: Running, how: str) -> None:
    url, _ = running(limits=patient(headers=0.2))
    with connected(url) as client:
        client.sendall(SLOW[how])
        said = ends(client)
    assert said.count(b"HTTP/1.1") == SLOW[how].count(b"\r\n\r\n")
    assert httpx.get(f"{url}/v1/health", timeout=PATIENCE).status_code == 200


def test_a_connection_that_drips_ends(running: Running) -> None:
    """One byte after the other is no request, however many there are."""
    url, _ = running(limits=patient(headers=0.2))
    with connected(url) as client:
        client.sendall(HEAD)
        with pytest.raises(ConnectionError):
            for _ in range(10_000_000):
                client.sendall(b"X")
        assert ends(client).count(b"200 OK") == 0


def test_a_client_that_does_not_read_ends(running: Running) -> None:
    url, _ = running(limits=patient(unread=0.2))
    with connected(url) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE)
        with pytest.raises(ConnectionError):
            while True:
                client.sendall((HEAD.replace(b"health", b"openapi.json") + b"\r\n") * 100)
    assert httpx.get(f"{url}/v1/health", timeout=PATIENCE).status_code == 200


def test_one_connection_too_many_is_told_so(running: Running) -> None:
    url, _ = running(limits=patient(connections=8, headers=PATIENCE))
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(url)) for _ in range(8)]
        with connected(url) as more:
            assert ends(more).startswith(b"HTTP/1.1 503 ")
        clients[0].sendall(HEAD + b"\r\n")
        assert b"200 OK" in clients[0].recv(65536)


def test_there_are_fewer_connections_than_files() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert open_files(1) == 1
    assert open_files(10**12) in (soft // 2, 10**12)


def test_the_log_says_the_same_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(connections, "monotonic", lambda: now[0])
    once = Once()
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "no more files: %s", (1,), None)
    other = logging.LogRecord("asyncio", logging.ERROR, "", 0, "other", (), None)
    assert [once.filter(record) for _ in range(1000)].count(True) == 1
    assert once.filter(other)
    now[0] = 61.0
    assert once.filter(record)


@pytest.mark.parametrize(
    "filter",
    [
        'path contains "/home/"',
        'source starts with "/"',
        'row.path contains "a"',
        "not (price < 3 or `source` is missing)",
        '`path` in ("a", "b")',
        'label = "red" and row.source != "x"',
    ],
)
def test_nobody_learns_where_files_are(client: Any, filter: str) -> None:
    asked = client()
    for answer in (
        asked.get("/v1/rows", params={"where": filter}),
        asked.get("/v1/rows/count", params={"where": filter}),
        asked.post("/v1/search", json={"text": "red", "where": filter}),
        asked.post("/v1/rows/delete", json={"where": filter}),
    ):
        assert answer.status_code == 422, answer.text
        assert "columns." in answer.text
    assert asked.get("/v1/rows/count", params={"where": "price < 3"}).json() == {"count": 3}
