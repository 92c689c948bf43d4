"""How many threads the numeric libraries work with, so that they do not disturb each other.

NumPy's products run in threads of OpenBLAS, networks in threads of onnxruntime, and pictures are
decoded in threads of ravl. Each library has as many threads as there are cores, and by default
they wait for work in a busy loop: on shared cores they take the processor from each other. So
networks have one pool of sleeping threads, the small products of an answer run in one thread, and
large ones are cut into parts for one pool of ravl's own.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from onnxruntime import InferenceSession
    from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")
BLAS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")  # read by OpenBLAS
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processor in a period, in a container


@cache
def cores() -> int:
    """Processor cores that this process may use, at least 1: its affinity and its quota."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = QUOTA.read_text("ascii").split()
        allowed = -(-int(quota) // int(period))
    except (OSError, ValueError):  # no container, or none with a quota ("max")
        allowed = there or 1
    return max(1, min(there or 1, allowed))


def onnx_session(path: Path) -> InferenceSession:
    """An ONNX graph, ready to run on the processor; its threads sleep when they have no work.

    Raises:
        Exception: of onnxruntime, which has several; the file is missing or damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def one_blas_thread_from_start() -> None:
    """Let NumPy start with one thread for its products; for a process of which all is ravl's.

    Has no effect after NumPy was imported, or where the user has set a number of threads.
    """
    if not any(name in os.environ for name in BLAS):
        os.environ[BLAS[0]] = "1"


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run products of NumPy and SciPy in one thread; also a decorator of functions.

    The number holds for the whole process, for as long as the first thread is inside.
    """
    with _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _controller(scipy: bool) -> ThreadpoolController:  # noqa: ARG001 (it brings its own OpenBLAS)
    """The libraries that are loaded; finding them costs milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What ``work`` gives for each item, in their order, computed on all cores by one pool.

    For NumPy's work on large arrays, which lets other threads run. No more than two items for each
    core are taken ahead. The caller must take all results.
    """
    ahead: deque[Future[R]] = deque()
    with one_blas_thread():
        for item in items:
            ahead.append(_pool().submit(work, item))
            if len(ahead) > 2 * cores():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@cache
def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(cores(), "ravl products")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)
