from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ravl.exports.run import export_run
from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.once import made_once


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """On so little data threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def exported(fitted_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports of a vote, a linear run, one of tags, and a fusion model; copy it to change it."""

    def make(folder: Path) -> None:
        with Memory.open(fitted_once / "shop.ravl", ColourEncoder()) as memory:
            for name in ("vote", "linear", "tags", "fusion"):
                export_run(fitted_once / name, folder / name, memory=memory, sample=8)

    return made_once(tmp_path_factory, "exported", make)
