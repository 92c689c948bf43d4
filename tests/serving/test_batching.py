"""Requests share a pass; a full queue refuses; what is cancelled is dropped; closing finishes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ravl.errors import DataError
from ravl.serving.batching import Batcher, Done
from ravl.serving.problems import Problem
from ravl.timing import step


class Network:
    """Doubles numbers; 13 is an error."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self, items: Sequence[Any]) -> tuple[Sequence[Any], int]:
        self.calls.append(list(items))
        self.begun.set()
        assert self.gate.wait(10)
        with step("encode"):
            time.sleep(0.002)
        if 13 in items:
            raise DataError("13 is unlucky.")
        return [2 * item for item in items], 7


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    made = Batcher("test", queue=40, together=8, wait=0.2)
    yield made
    made.close(5)


async def ask(batcher: Batcher, network: Network, *items: int, key: str = "") -> Done:
    with batcher.place(len(items)):
        return await batcher.answer(key, items, network)


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_requests_at_the_same_time_share_a_pass(batcher: Batcher, network: Network) -> None:
    async def work() -> list[Done]:
        return await asyncio.gather(*(ask(batcher, network, i) for i in range(8)))

    done = run(work())
    assert network.calls == [[*range(8)]]
    assert [d.answers for d in done] == [[2 * i] for i in range(8)]
    assert {(d.version, d.together) for d in done} == {(7, 8)}
    assert done[0].seconds["encode"] > 0.001
    assert batcher.pending == 0


def test_a_pass_has_no_more_than_it_may(batcher: Batcher, network: Network) -> None:
    async def work() -> list[Done]:
        return await asyncio.gather(*(ask(batcher, network, i, i) for i in range(10)))

    assert [d.answers for d in run(work())] == [[2 * i, 2 * i] for i in range(10)]
    assert max(map(len, network.calls)) == 8
    assert sum(map(len, network.calls)) == 20


def test_a_batch_larger_than_a_pass_goes_alone(batcher: Batcher, network: Network) -> None:
    assert len(run(ask(batcher, network, *range(20, 40))).answers) == 20
    assert network.calls == [[*range(20, 40)]]


def test_nobody_waits_alone(batcher: Batcher, network: Network) -> None:
    began = time.monotonic()
    run(ask(batcher, network, 1))
    assert time.monotonic() - began < 0.15


def test_only_equal_keys_go_together(batcher: Batcher, network: Network) -> None:
    async def work() -> None:
        await asyncio.gather(*(ask(batcher, network, i, key="ab"[i % 2]) for i in range(6)))

    run(work())
    assert sorted(network.calls) == [[0, 2, 4], [1, 3, 5]]


def test_the_others_do_not_suffer_for_one(batcher: Batcher, network: Network) -> None:
    async def work() -> list[Any]:
        jobs = (ask(batcher, network, i) for i in (1, 13, 2))
        return await asyncio.gather(*jobs, return_exceptions=True)

    first, second, third = run(work())
    assert (first.answers, third.answers) == ([2], [4])
    assert isinstance(second, DataError)


def test_a_full_queue_refuses_at_once(batcher: Batcher, network: Network) -> None:
    network.gate.clear()

    async def work() -> None:
        jobs = [asyncio.create_task(ask(batcher, network, 20 + i)) for i in range(40)]
        await asyncio.sleep(0.01)
        with pytest.raises(Problem) as refused:
            await ask(batcher, network, 99)
        assert refused.value.status == 429
        assert refused.value.retry is not None
        with pytest.raises(Problem):
            batcher.check()
        network.gate.set()
        await asyncio.gather(*jobs)

    run(work())
    assert batcher.pending == 0
    batcher.check()


def test_what_is_cancelled_is_dropped(batcher: Batcher, network: Network) -> None:
    network.gate.clear()

    async def work() -> None:
        first = asyncio.create_task(ask(batcher, network, 1))
        await asyncio.to_thread(network.begun.wait, 5)
        second = asyncio.create_task(ask(batcher, network, 2))
        third = asyncio.create_task(ask(batcher, network, 3))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0.01)
        assert batcher.pending == 2  # its place is free while the pass is still under way
        network.gate.set()
        await asyncio.gather(first, third)

    run(work())
    assert network.calls == [[1], [3]]


def test_closing_finishes_what_waits_and_takes_nothing_new(network: Network) -> None:
    batcher = Batcher("test", queue=40, together=2, wait=0.01)
    network.gate.clear()

    async def work() -> list[Done]:
        jobs = [asyncio.create_task(ask(batcher, network, i)) for i in range(6)]
        await asyncio.sleep(0.02)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close, 5))
        await asyncio.sleep(0.02)
        with pytest.raises(Problem, match="being stopped"):
            await ask(batcher, network, 7)
        network.gate.set()
        await closing
        return await asyncio.gather(*jobs)

    assert [d.answers for d in run(work())] == [[2 * i] for i in range(6)]
    assert not batcher._thread.is_alive()
