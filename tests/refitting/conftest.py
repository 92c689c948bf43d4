from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.once import copy_of


@pytest.fixture
def shop(fitted_once: Path, tmp_path: Path) -> Iterator[Memory]:
    """A memory of 48 shades of four colours, to be changed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    copy_of(fitted_once / "pictures", tmp_path / "pictures")
    shutil.copy(fitted_once / "shop.ravl", tmp_path)
    with Memory.open(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        yield memory
    torch.set_num_threads(threads)


@pytest.fixture
def run(shop: Memory, fitted_once: Path) -> Path:
    """A linear run of the shop, to be changed."""
    return copy_of(fitted_once / "linear", shop.folder / "run")
