from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.models.generation.fake_server import FakeServer, serving
from tests.models.generation.tiny import tiny_gpt2, tiny_idefics3, tiny_llava


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These networks are so small that threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gpt2(tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="session")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="session")
def idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_idefics3(tmp_path_factory.mktemp("idefics3"))


@pytest.fixture(scope="session")
def _server() -> Iterator[FakeServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server that answers well, and has not been asked anything yet; no key is set."""
    for name in ("RAVL_OPENAI_KEY", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for part in (_server.asked, _server.heads, _server.script):
        part.clear()
    _server.tells, _server.streams, _server.hold = True, True, bool
    _server.most = 0
    return _server
