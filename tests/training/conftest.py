from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ravl.memory import Memory
from ravl.training.pairs import Pairs, read_pairs
from tests.training.painted import Scrambled, paint


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """On so little data threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scrambled() -> Scrambled:
    return Scrambled()


@pytest.fixture
def painted(tmp_path: Path, scrambled: Scrambled) -> Iterator[Memory]:
    """A memory of 64 pictures with two texts each, which its encoder cannot find."""
    with Memory.create(tmp_path / "painted.ravl", scrambled) as memory:
        memory.add(paint(tmp_path / "pictures"))
        yield memory


@pytest.fixture
def pairs(painted: Memory) -> Pairs:
    return read_pairs(painted)
