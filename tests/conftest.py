from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ravl.encoders import Encoder, load_encoder
from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def empty(tmp_path: Path, encoder: ColourEncoder) -> Iterator[Memory]:
    """A new memory without rows."""
    with Memory.create(tmp_path / "test.ravl", encoder) as memory:
        yield memory


@pytest.fixture
def memory(tmp_path: Path, empty: Memory) -> Memory:
    """A memory of 16 rows: two pictures of each of eight colours."""
    empty.add(make_examples(tmp_path / "pictures"))
    return empty


@pytest.fixture(scope="session")
def builtin() -> Encoder:
    """The real builtin encoder, loaded once."""
    return load_encoder("builtin")


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny language model."""
    from tests.labelled import tiny_bert  # imports torch

    return tiny_bert(tmp_path_factory.mktemp("language"))
