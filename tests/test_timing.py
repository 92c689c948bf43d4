from __future__ import annotations

import pytest

from ravl.timing import measured, step


class FakeClock:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr("ravl.timing.perf_counter", made)
    return made


@step("encode")
def encode(clock: FakeClock) -> None:
    clock.now += 4
    with step("decode"):
        clock.now += 2


def test_a_step_inside_another_is_its_own(clock: FakeClock) -> None:
    with measured() as seconds:
        encode(clock)
        with step("encode"):
            clock.now += 1
    assert seconds == {"encode": 5, "decode": 2}


def test_nothing_is_kept_where_nobody_measures(clock: FakeClock) -> None:
    encode(clock)
    with measured() as seconds:
        pass
    assert seconds == {}


def test_an_error_leaves_its_step(clock: FakeClock) -> None:
    with measured() as seconds:
        try:
            with step("fuse"):
                clock.now += 1
                raise ValueError
        except ValueError:
            clock.now += 10
        with step("retrieve"):
            clock.now += 2
    assert seconds == {"fuse": 1, "retrieve": 2}


def test_the_real_clock_goes_on() -> None:
    with measured() as seconds, step("fuse"):
        sum(range(1000))
    assert seconds["fuse"] > 0
