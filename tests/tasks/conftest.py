from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ravl.memory import Memory
from ravl.training.dual_encoder.pairs import Pairs, read_pairs
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


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the memory below; copy it."""
    folder = tmp_path_factory.mktemp("painted")
    with Memory.create(folder / "painted.ravl", Scrambled()) as memory:
        memory.add(paint(folder / "pictures"))
    return folder


@pytest.fixture
def painted(made_once: Path, tmp_path: Path, scrambled: Scrambled) -> Iterator[Memory]:
    """A memory of 64 pictures with two texts each, which its encoder cannot find."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    with Memory.open(tmp_path / "painted.ravl", scrambled) as memory:
        yield memory


@pytest.fixture
def pairs(painted: Memory) -> Pairs:
    return read_pairs(painted)
