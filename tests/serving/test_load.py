"""Many clients at once: batching, 429, deadlines, those who leave, shutting down."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from tests.serving.helpers import fake, patient, png
from tests.waiting import PATIENCE, until, wait_until

Running = Callable[..., Any]


@pytest.fixture
def red() -> bytes:
    return png("red")


def post(url: str, picture: bytes, **data: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/classify", files={"picture": picture}, data=data, timeout=PATIENCE)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_concurrent_requests_share_passes(running: Running, red: bytes):
    # The first of a pass waits for all that have a place, whose pictures are still being decoded.
    prepare, made = fake()
    url, service = running(prepare=prepare, limits=patient(wait=PATIENCE))
    model = made[0]
    model.gate.clear()
    pictures = [red, png("blue")]

    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(post, url, pictures[i % 2]) for i in range(16)]
        wait_until(lambda: service.pending()["fake"] == 16)
        model.gate.set()
        found = [job.result().json() for job in jobs]
    assert [f["answer"]["label"] for f in found] == ["True", "False"] * 8
    assert sum(model.calls) == 16
    assert len(model.calls) <= 2
    assert max(f["together"] for f in found) == max(model.calls) >= 8


def test_only_equal_options_go_together(running: Running, red: bytes):
    prepare, made = fake()
    url, _ = running(prepare=prepare)
    together(8, lambda i: post(url, red, k=1 + i % 2))
    assert {o["k"] for o in made[0].options} == {1, 2}
    assert sum(made[0].calls) == 8


def test_a_full_queue_is_429_at_once_and_the_rest_is_answered(running: Running, red: bytes):
    prepare, made = fake()
    url, service = running(prepare=prepare, limits=patient(queue=4, together=1))
    made[0].gate.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(post, url, red) for _ in range(4)]
        wait_until(lambda: service.pending()["fake"] == 4)
        refused = post(url, red)  # answered while the model still waits at its gate
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "4 is all that may wait" in refused.json()["detail"]
        made[0].gate.set()
        assert [w.result().status_code for w in waiting] == [200] * 4
    assert post(url, red).status_code == 200


def test_a_deadline_is_503_and_frees_its_place(running: Running, red: bytes):
    prepare, made = fake()
    url, service = running(prepare=prepare, limits=patient(deadline=0.2))  # any speed: no answer
    made[0].gate.clear()
    late = post(url, red)
    assert late.status_code == 503
    assert "within 0.2 s" in late.json()["detail"] and "retry-after" in late.headers
    assert service.pending()["fake"] == 0
    made[0].gate.set()
    service.limits = replace(service.limits, deadline=PATIENCE)
    assert post(url, red).status_code == 200


def test_who_leaves_holds_no_place(running: Running, red: bytes):
    prepare, made = fake()
    url, service = running(prepare=prepare)
    model = made[0]
    model.gate.clear()

    async def work() -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            files = {"picture": red}
            jobs = [
                asyncio.create_task(client.post(f"{url}/v1/classify", files=files))
                for _ in range(3)
            ]
            await until(lambda: service.pending()["fake"] == 3 and model.begun.is_set())
            for job in jobs:
                job.cancel()
            await until(lambda: service.pending()["fake"] == 0)

    asyncio.run(work())
    model.gate.set()
    assert post(url, red).status_code == 200
    assert sum(model.calls) <= 4  # the pass that had begun, and this one


def test_stopping_answers_what_is_under_way(shop, red: bytes):
    from ravl.serving.server import Server
    from ravl.serving.service import Service

    prepare, made = fake()
    service = Service([shop])
    prepare(service)
    said: list[str] = []
    server = Server(service, "127.0.0.1", 0, said.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: said)
    url = said[0].split()[2]
    made[0].gate.clear()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(post, url, red) for _ in range(3)]
        wait_until(lambda: service.pending()["fake"] == 3)
        server.should_exit = True
        wait_until(lambda: refused(url), "that nothing new is taken")
        assert thread.is_alive()
        made[0].gate.set()
        assert [w.result().status_code for w in waiting] == [200] * 3
    thread.join(PATIENCE)
    assert not thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        post(url, red)


def refused(url: str) -> bool:
    """Whether nobody listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port)).close()
    except ConnectionError:
        return True
    return False
