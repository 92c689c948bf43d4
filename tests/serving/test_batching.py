"""Requests share a pass; a full queue refuses; what is cancelled is dropped; closing finishes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from ravl.errors import DataError
from ravl.serving.batching import Batcher, Done
from ravl.serving.problems import Problem
from ravl.timing import step
from tests.waiting import PATIENCE, until


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
        assert self.gate.wait(PATIENCE)
        with step("encode"):
            pass
        if 13 in items:
            raise DataError("13 is unlucky.")
        return [2 * item for item in items], 7


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    """The first of a pass waits for ever for those that have a place; nobody waits for others."""
    made = Batcher("test", queue=40, together=8, wait=PATIENCE)
    yield made
    made.close(PATIENCE)


async def ask(batcher: Batcher, network: Network, *items: int, key: str = "") -> Done[int]:
    with batcher.place(len(items)):
        return await batcher.answer(key, items, network)


async def ask_together(
    batcher: Batcher, network: Network, *jobs: Sequence[int], keys: str = ""
) -> list[Done[int] | BaseException]:
    """Answers to jobs that all have a place before the first is there."""
    places = [ExitStack() for _ in jobs]
    for place, items in zip(places, jobs, strict=True):
        place.enter_context(batcher.place(len(items)))

    async def answer(i: int) -> Done[int]:
        with places[i]:
            return await batcher.answer(keys[i : i + 1], jobs[i], network)

    return await asyncio.gather(*map(answer, range(len(jobs))), return_exceptions=True)


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_requests_at_the_same_time_share_a_pass(batcher: Batcher, network: Network) -> None:
    done = run(ask_together(batcher, network, *([i] for i in range(8))))
    assert network.calls == [[*range(8)]]
    assert [d.answers for d in done] == [[2 * i] for i in range(8)]
    assert {(d.version, d.together) for d in done} == {(7, 8)}
    assert set(done[0].seconds) == {"encode"}
    assert batcher.pending == 0


def test_a_pass_has_no_more_than_it_may(batcher: Batcher, network: Network) -> None:
    done = run(ask_together(batcher, network, *([i, i] for i in range(10))))
    assert [d.answers for d in done] == [[2 * i, 2 * i] for i in range(10)]
    assert [len(call) for call in network.calls] == [8, 8, 4]


def test_a_batch_larger_than_a_pass_goes_alone(batcher: Batcher, network: Network) -> None:
    assert len(run(ask(batcher, network, *range(20, 40))).answers) == 20
    assert network.calls == [[*range(20, 40)]]


def test_nobody_waits_alone(batcher: Batcher, network: Network) -> None:
    assert batcher._wait == PATIENCE  # which is what this would take otherwise
    assert run(asyncio.wait_for(ask(batcher, network, 1), PATIENCE / 2)).answers == [2]


def test_only_equal_keys_go_together(batcher: Batcher, network: Network) -> None:
    run(ask_together(batcher, network, *([i] for i in range(6)), keys="ababab"))
    assert sorted(network.calls) == [[0, 2, 4], [1, 3, 5]]


def test_the_others_do_not_suffer_for_one(batcher: Batcher, network: Network) -> None:
    first, second, third = run(ask_together(batcher, network, [1], [13], [2]))
    assert network.calls == [[1, 13, 2], [1], [13], [2]]
    assert (first.answers, third.answers) == ([2], [4])
    assert isinstance(second, DataError)


def test_a_full_queue_refuses_at_once(batcher: Batcher, network: Network) -> None:
    network.gate.clear()

    async def work() -> None:
        jobs = [asyncio.create_task(ask(batcher, network, 20 + i)) for i in range(40)]
        await until(lambda: batcher.pending == 40)
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
        await asyncio.to_thread(network.begun.wait, PATIENCE)
        second = asyncio.create_task(ask(batcher, network, 2))
        third = asyncio.create_task(ask(batcher, network, 3))
        await until(lambda: batcher.pending == 3)
        second.cancel()
        await until(lambda: batcher.pending == 2)  # free while the pass is still under way
        network.gate.set()
        await asyncio.gather(first, third)

    run(work())
    assert network.calls == [[1], [3]]


def test_closing_finishes_what_waits_and_takes_nothing_new(network: Network) -> None:
    batcher = Batcher("test", queue=40, together=2, wait=PATIENCE)
    network.gate.clear()

    async def work() -> list[Done[int]]:
        jobs = [asyncio.create_task(ask(batcher, network, i)) for i in range(6)]
        await until(lambda: batcher.pending == 6)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close, PATIENCE))
        await until(lambda: batcher._closed)
        with pytest.raises(Problem, match="being stopped"):
            await ask(batcher, network, 7)
        network.gate.set()
        await closing
        return await asyncio.gather(*jobs)

    assert [d.answers for d in run(work())] == [[2 * i] for i in range(6)]
    assert not batcher._thread.is_alive()
