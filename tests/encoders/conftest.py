from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ravl.encoders import Encoder, load_encoder
from tests.encoders import tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> the folder of a tiny model, made once; copy it before changing a file."""
    return cache(lambda family: tiny.make(family, tmp_path_factory.mktemp(family) / "model"))


@pytest.fixture(scope="session")
def tiny_encoder(tiny_folder: Callable[[str], Path]) -> Callable[[str], Encoder]:
    """Family -> its encoder, loaded once."""
    return cache(lambda family: load_encoder(f"hf:{tiny_folder(family)}"))


@pytest.fixture
def clip(tiny_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """The folder of a tiny CLIP that a test may change."""
    return Path(shutil.copytree(tiny_folder("clip"), tmp_path / "clip"))
