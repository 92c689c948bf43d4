"""Several processes on one fit, as ``torchrun`` starts them: who writes, and who waits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

PATIENCE = timedelta(days=7)  # of those that wait for what the first process makes ready


def is_main_process() -> bool:
    """True for the only process, or for the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


def process_count() -> int:
    """How many processes share the fit; each takes its own batch of a step."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def main_process_first() -> Iterator[None]:
    """What the first process does here, and writes to files, is done before the others begin."""
    if process_count() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    on_cpu = not torch.cuda.is_available()
    with PartialState(cpu=on_cpu, timeout=PATIENCE).main_process_first():
        yield


def of_main_process(value: float) -> float:
    """The first process's value: a last digit that differs must not stop one process alone."""
    from torch.distributed import broadcast_object_list, is_initialized

    if not is_initialized():
        return value
    values = [value]
    broadcast_object_list(values, src=0)
    return values[0]
