"""Threads of the numeric libraries: how many there are, and that results do not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from threadpoolctl import ThreadpoolController

from ravl import threads
from ravl.cli import cli
from ravl.encoders.builtin_parts import parts_folder
from ravl.store import top_k as products
from ravl.store.blocks import Blocks


def blas() -> set[int]:
    found = ThreadpoolController().info()
    return {lib["num_threads"] for lib in found if lib["user_api"] == "blas"}


def test_a_network_waits_without_a_busy_loop() -> None:
    session = threads.onnx_session(parts_folder("text.onnx") / "text.onnx")
    options = session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == threads.cores()


def test_cores_are_those_of_the_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = threads.cores()
    for text, expected in (("100000 100000", 1), ("max 100000", there), ("", there)):
        file = tmp_path / "cpu.max"
        file.write_text(text)
        monkeypatch.setattr(threads, "QUOTA", file)
        threads.cores.cache_clear()
        try:
            assert threads.cores() == expected
        finally:
            threads.cores.cache_clear()


def test_products_run_in_one_thread_inside_and_in_as_many_as_before_outside() -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with threads.one_blas_thread(), threads.one_blas_thread():
            assert blas() == {1}
        assert blas() == {2}


def test_results_come_in_order_and_few_items_are_taken_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(50):
            taken.append(i)
            yield i

    found = threads.in_order(lambda i: i * i, items())
    assert next(found) == 0
    assert len(taken) <= 2 * threads.cores() + 1
    assert list(found) == [i * i for i in range(1, 50)]


def test_an_error_of_the_work_arrives() -> None:
    with pytest.raises(ZeroDivisionError):
        list(threads.in_order(lambda i: 1 // i, [2, 1, 0]))


@pytest.mark.parametrize("queries", [1, 3, 200])
def test_large_products_give_the_same_in_all_cores(
    monkeypatch: pytest.MonkeyPatch, queries: int
) -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3000, 16)).astype(np.float32).round(1)  # equal scores occur
    asked = random.normal(size=(queries, 16)).astype(np.float32).round(1)
    offset = random.normal(size=3000).astype(np.float32)
    blocks, allowed = Blocks.of(matrix, 256), np.flatnonzero(random.random(3000) < 0.5)
    for given in (blocks, matrix):
        plain = products.top_k(given, asked, 20, allowed, offset)
        with monkeypatch.context() as patch:
            patch.setattr(products, "LARGE", 0)
            patch.setattr(products, "cores", lambda: 2)
            shared = products.top_k(given, asked, 20, allowed, offset)
        assert np.array_equal(plain[0], shared[0])
        assert np.array_equal(plain[1], shared[1])


@pytest.mark.parametrize(
    ("command", "set_before", "expected"),
    [("search", None, "1"), ("fit", None, None), ("search", "4", None)],
)
def test_commands_that_answer_start_with_one_thread(
    monkeypatch: pytest.MonkeyPatch, command: str, set_before: str | None, expected: str | None
) -> None:
    for name in threads.BLAS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if set_before:
        monkeypatch.setenv("OMP_NUM_THREADS", set_before)
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0
    import os

    assert os.environ.get("OPENBLAS_NUM_THREADS") == expected
