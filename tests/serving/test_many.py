"""A thousand at once; those who send slowly; those who do not read."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from ravl.serving.batching import Batcher
from tests.serving.helpers import fake, patient, png
from tests.waiting import PATIENCE, pause

Running = Callable[..., Any]


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


def test_who_sends_slowly_is_told_and_holds_no_place(running: Running, monkeypatch):
    prepare, _ = fake()
    url, _ = running(prepare=prepare, limits=patient(upload=0.3))  # any speed: no end
    monkeypatch.setattr(Batcher, "place", lambda *_: pytest.fail("it was given a place"))
    with connect(url) as slow:
        slow.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        assert b"408" in slow.recv(4096).split(b"\r\n")[0]


def test_a_cut_upload_is_no_error_of_the_server(running: Running, capsys):
    prepare, made = fake()
    url, _ = running(prepare=prepare)
    with connect(url) as cut:
        cut.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
    pause(0.2)  # what is no error now would be none after a longer pause
    assert httpx.get(f"{url}/v1/health", timeout=PATIENCE).status_code == 200
    assert "Traceback" not in capsys.readouterr().err
    assert made[0].calls == []


@pytest.mark.slow
def test_a_thousand_parallel_requests(running: Running):
    prepare, made = fake(0.005)
    url, service = running(prepare=prepare)
    picture = png("red")

    async def work() -> Counter[int]:
        limits = httpx.Limits(max_connections=1000)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:
            files = {"picture": picture}
            jobs = (client.post(f"{url}/v1/classify", files=files) for _ in range(1000))
            return Counter(r.status_code for r in await asyncio.gather(*jobs))

    found = asyncio.run(work())
    assert set(found) <= {200, 429}
    assert found[200] >= 256
    assert sum(made[0].calls) == found[200]
    assert max(made[0].calls) <= 32
    assert set(service.pending().values()) == {0}
    assert httpx.get(f"{url}/v1/ready", timeout=PATIENCE).status_code == 200


@pytest.mark.slow
def test_clients_that_stop_reading_hold_nobody_up(running: Running):
    prepare, made = fake()
    url, service = running(prepare=prepare)
    picture = png("red")
    held = []
    for _ in range(20):  # ask for much, and read nothing of it
        client = connect(url)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        request = b"GET /v1/rows?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.sendall(request * 50)
        held.append(client)
    for _ in range(10):
        answer = httpx.post(f"{url}/v1/classify", files={"picture": picture}, timeout=PATIENCE)
        assert answer.status_code == 200
    assert service.pending()["fake"] == 0
    assert made[0].calls == [1] * 10
    for client in held:
        client.close()
