"""What every generator promises, run over all of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from ravl.models.generation.base import GenerationRequest, Generator
from ravl.models.generation.causal import CausalGenerator
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.server import ServerGenerator
from ravl.testing.generator_contract import GeneratorContract
from tests.models.generation.fake_server import FakeServer
from tests.models.generation.tiny import FEATURES, requests, tiny_fused

KINDS = ("causal", "causal_text", "chat_one", "chat_several", "server", "fused")


@cache
def local(kind: str, folder: Path) -> Generator:
    """Loaded once; generators keep no state."""
    if kind.startswith("causal"):
        return CausalGenerator(str(folder), features=FEATURES if kind == "causal" else 0)
    return tiny_fused(folder) if kind == "fused" else ChatGenerator(str(folder))


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Generator:
    kind = request.param
    if kind == "server":
        server: FakeServer = request.getfixturevalue("server")
        return ServerGenerator(server.address, pause=0.01)
    folders = {"chat_one": "llava", "chat_several": "idefics3", "fused": "language"}
    return local(kind, request.getfixturevalue(folders.get(kind, "gpt2")))


class TestGenerators(GeneratorContract):
    @pytest.fixture
    def generator(self, made: Generator) -> Generator:
        return made

    def requests(self, count: int) -> list[GenerationRequest]:
        return requests(count)

    def test_its_name_and_how_much_it_reads(self, generator: Generator) -> None:
        assert generator.spec.startswith(("hf:", "openai:", "fused"))
        assert generator.evidence == (2 if generator.spec == "fused" else 4)
