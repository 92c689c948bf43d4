from __future__ import annotations

import time

from ravl.timing import measured, step


@step("encode")
def encode() -> None:
    time.sleep(0.004)
    with step("decode"):
        time.sleep(0.004)


def test_a_step_inside_another_is_its_own() -> None:
    with measured() as seconds:
        encode()
        with step("encode"):
            pass
    assert set(seconds) == {"encode", "decode"}
    assert all(0.003 < took < 0.5 for took in seconds.values())


def test_nothing_is_kept_where_nobody_measures() -> None:
    encode()
    with measured() as seconds:
        pass
    assert seconds == {}


def test_an_error_leaves_its_step() -> None:
    with measured() as seconds:
        try:
            with step("fuse"):
                raise ValueError
        except ValueError:
            time.sleep(0.01)
        with step("retrieve"):
            pass
    assert seconds["fuse"] < 0.008
