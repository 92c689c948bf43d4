from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.labelled import shades


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Memory]:
    """A memory of 48 shades of four colours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "pictures"))
        yield memory
    torch.set_num_threads(threads)
