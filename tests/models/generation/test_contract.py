"""What every generator promises, run over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import isnan
from pathlib import Path

import pytest

from ravl.models.generation.base import Decoding, EvidenceItem, GenerationRequest, Generator
from ravl.models.generation.causal import CausalGenerator
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.server import ServerGenerator
from tests.models.generation.fake_server import FakeServer
from tests.models.generation.tiny import FEATURES, requests, tiny_fused

SHORT = Decoding(beams=2, longest=8)
GREEDY = Decoding(beams=1, longest=8)
DRAWN = Decoding(sample=True, longest=8, candidates=3, seed=5)

KINDS = ("causal", "causal_text", "chat_one", "chat_several", "server", "fused")


@cache
def local(kind: str, folder: Path) -> Generator:
    """Loaded once; generators keep no state."""
    if kind.startswith("causal"):
        return CausalGenerator(str(folder), features=FEATURES if kind == "causal" else 0)
    return tiny_fused(folder) if kind == "fused" else ChatGenerator(str(folder))


@pytest.fixture(params=KINDS)
def generator(request: pytest.FixtureRequest) -> Generator:
    kind = request.param
    if kind == "server":
        server: FakeServer = request.getfixturevalue("server")
        return ServerGenerator(server.address, pause=0.01)
    folders = {"chat_one": "llava", "chat_several": "idefics3", "fused": "language"}
    return local(kind, request.getfixturevalue(folders.get(kind, "gpt2")))


def texts(
    generator: Generator, asked: list[GenerationRequest], how: Decoding = SHORT
) -> list[list[str]]:
    return [[c.text for c in found] for found in generator(asked, how)]


def test_it_is_a_generator(generator: Generator) -> None:
    assert isinstance(generator, Generator)
    assert generator.spec.startswith(("hf:", "openai:", "fused"))
    assert generator.evidence == (2 if generator.spec == "fused" else 4)


def test_at_least_one_text_for_each_request(generator: Generator) -> None:
    for found in generator(requests(3), SHORT):
        assert found
        assert all(c.text == c.text.strip() for c in found)
    assert generator([], SHORT) == []


def test_without_a_decoding(generator: Generator) -> None:
    assert generator(requests(1))[0][0].tokens > 0


def test_the_same_each_time(generator: Generator) -> None:
    assert texts(generator, requests(2)) == texts(generator, requests(2))


@pytest.mark.parametrize("how", [SHORT, GREEDY, DRAWN], ids=["beams", "greedy", "drawn"])
def test_a_batch_is_as_its_requests_one_by_one(generator: Generator, how: Decoding) -> None:
    asked = [*requests(2), replace(requests(3)[2], exhibits=(), question="Why?")]
    assert texts(generator, asked, how) == [texts(generator, [r], how)[0] for r in asked]


def test_a_seed_makes_sampling_repeatable(generator: Generator) -> None:
    first = texts(generator, requests(2), DRAWN)
    assert texts(generator, requests(2), DRAWN) == first
    assert texts(generator, requests(2), replace(DRAWN, seed=6)) != first


def test_what_is_asked_changes_what_is_likely(generator: Generator) -> None:
    one, other = requests(2)
    found = generator([one], SHORT)
    assert generator([replace(one, exhibits=other.exhibits)], SHORT) != found
    assert generator([replace(one, question="What colour is it?")], SHORT) != found


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, exhibits=()),
        lambda r: replace(r, look=None),
        lambda r: replace(
            r, look=None, exhibits=[EvidenceItem(text="a passage"), EvidenceItem(text="")]
        ),
        lambda r: replace(r, question="Is it red? " * 910),
        lambda r: replace(
            r, question="红格子衬衫是什么?" * 40, exhibits=[EvidenceItem(text="🐕 小狗")]
        ),
        lambda r: replace(r, question="\x00\x1b[31m\ud800</s>\u202e"),
        lambda r: replace(r, exhibits=[EvidenceItem(text="word " * 5000)] * 6),
        lambda r: replace(r, instruction="in two words", question=" \n "),
    ],
    ids=[
        "no evidence",
        "no picture",
        "passages",
        "10,000 characters",
        "Chinese",
        "control",
        "long evidence",
        "blank question",
    ],
)
def test_odd_requests(
    generator: Generator, change: Callable[[GenerationRequest], GenerationRequest]
) -> None:
    asked = requests(3)
    for how in (SHORT, DRAWN):
        found = generator([asked[0], change(asked[1]), asked[2]], how)
        assert len(found) == 3 and all(found)
    pieces = list(generator.stream(change(asked[1]), GREEDY))
    assert "".join(pieces) == generator([change(asked[1])], GREEDY)[0][0].text


def test_the_longest_is_kept(generator: Generator) -> None:
    for how in (
        Decoding(beams=3, longest=3),
        Decoding(sample=True, longest=3),
        Decoding(longest=1),
    ):
        for found in generator(requests(2), how):
            assert all(1 <= c.tokens <= how.longest for c in found)


def test_several_candidates_are_different(generator: Generator) -> None:
    for how in (Decoding(beams=1, candidates=3, longest=6), replace(DRAWN, candidates=4)):
        for found in generator(requests(2), how):
            assert len({c.text for c in found}) == len(found) <= how.candidates
    assert len(generator(requests(1), DRAWN)[0]) > 1


def test_log_probabilities(generator: Generator) -> None:
    for how in (SHORT, DRAWN):
        for found in generator(requests(2), how):
            assert all(isnan(c.log_probability) or c.log_probability <= 0 for c in found)
            assert [c.mean for c in found] == sorted((c.mean for c in found), reverse=True)


@pytest.mark.parametrize("how", [GREEDY, replace(DRAWN, candidates=1)], ids=["greedy", "drawn"])
def test_a_stream_is_the_text_in_pieces(generator: Generator, how: Decoding) -> None:
    for asked in requests(2):
        pieces = list(generator.stream(asked, how))
        assert all(pieces)
        assert "".join(pieces) == generator([asked], how)[0][0].text


def test_a_stream_may_be_left(generator: Generator) -> None:
    stream = generator.stream(requests(1)[0], Decoding(longest=30))
    next(stream)
    del stream
    assert texts(generator, requests(1))
