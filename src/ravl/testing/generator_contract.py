"""What ravl expects of every generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from math import isnan

import numpy as np
import pytest
from PIL import Image

from ravl.encoders.base import Array, normalise
from ravl.models.generation.base import Decoding, EvidenceItem, GenerationRequest, Generator
from ravl.models.generation.loading import load_generator

SHORT = Decoding(num_beams=2, max_new_tokens=8)
GREEDY = Decoding(num_beams=1, max_new_tokens=8)
DRAWN = Decoding(do_sample=True, max_new_tokens=8, num_return_sequences=3, seed=5)
COLOURS = ("red", "green", "blue", "yellow")

_loaded = cache(load_generator)


class GeneratorContract:
    """Subclass this and set ``spec``, or override the fixture ``generator``.

    >>> class TestToyGenerator(GeneratorContract):
    ...     spec = "toy:echo"
    """

    spec: str  # the name that load_generator finds the generator by

    @pytest.fixture
    def generator(self) -> Generator:
        """The generator under test, loaded once; generators keep no state."""
        return _loaded(self.spec)

    def requests(self, count: int) -> list[GenerationRequest]:
        """Requests about pictures of one colour each, with three texts as evidence."""
        return [
            GenerationRequest(
                features=_numbers(i, 6),
                evidence_items=[_evidence(i + j) for j in range(3)],
                open_picture=partial(_picture, i),
            )
            for i in range(count)
        ]

    def test_it_is_a_generator(self, generator: Generator) -> None:
        assert isinstance(generator, Generator)
        assert generator.spec.partition(":")[0]
        assert generator.evidence >= 0

    def test_at_least_one_text_for_each_request(self, generator: Generator) -> None:
        for found in generator(self.requests(3), SHORT):
            assert found
            assert all(c.text == c.text.strip() for c in found)
        assert generator([], SHORT) == []

    def test_without_a_decoding(self, generator: Generator) -> None:
        assert generator(self.requests(1))[0][0].tokens > 0

    def test_the_same_each_time(self, generator: Generator) -> None:
        assert texts(generator, self.requests(2)) == texts(generator, self.requests(2))

    @pytest.mark.parametrize("how", [SHORT, GREEDY, DRAWN], ids=["beams", "greedy", "drawn"])
    def test_a_batch_is_as_its_requests_one_by_one(
        self, generator: Generator, how: Decoding
    ) -> None:
        asked = [
            *self.requests(2),
            replace(self.requests(3)[2], evidence_items=(), question="Why?"),
        ]
        assert texts(generator, asked, how) == [texts(generator, [r], how)[0] for r in asked]

    def test_a_seed_makes_sampling_repeatable(self, generator: Generator) -> None:
        first = texts(generator, self.requests(2), DRAWN)
        assert texts(generator, self.requests(2), DRAWN) == first
        assert texts(generator, self.requests(2), replace(DRAWN, seed=6)) != first

    def test_what_is_asked_changes_what_is_likely(self, generator: Generator) -> None:
        one, other = self.requests(2)
        found = generator([one], SHORT)
        assert generator([replace(one, evidence_items=other.evidence_items)], SHORT) != found
        assert generator([replace(one, question="What colour is it?")], SHORT) != found

    @pytest.mark.parametrize(
        "change",
        [
            lambda r: replace(r, evidence_items=()),
            lambda r: replace(r, open_picture=None),
            lambda r: replace(
                r,
                open_picture=None,
                evidence_items=[EvidenceItem(text="a passage"), EvidenceItem(text="")],
            ),
            lambda r: replace(r, question="Is it red? " * 910),
            lambda r: replace(
                r, question="红格子衬衫是什么?" * 40, evidence_items=[EvidenceItem(text="🐕 小狗")]
            ),
            lambda r: replace(r, question="\x00\x1b[31m\ud800</s>\u202e"),
            lambda r: replace(r, evidence_items=[EvidenceItem(text="word " * 5000)] * 6),
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
        self, generator: Generator, change: Callable[[GenerationRequest], GenerationRequest]
    ) -> None:
        asked = self.requests(3)
        for how in (SHORT, DRAWN):
            found = generator([asked[0], change(asked[1]), asked[2]], how)
            assert len(found) == 3
            assert all(found)
        pieces = list(generator.stream(change(asked[1]), GREEDY))
        assert "".join(pieces) == generator([change(asked[1])], GREEDY)[0][0].text

    def test_the_longest_is_kept(self, generator: Generator) -> None:
        for how in (
            Decoding(num_beams=3, max_new_tokens=3),
            Decoding(do_sample=True, max_new_tokens=3),
            Decoding(max_new_tokens=1),
        ):
            for found in generator(self.requests(2), how):
                assert all(1 <= c.tokens <= how.max_new_tokens for c in found)

    def test_several_candidates_are_different(self, generator: Generator) -> None:
        for how in (
            Decoding(num_beams=1, num_return_sequences=3, max_new_tokens=6),
            replace(DRAWN, num_return_sequences=4),
        ):
            for found in generator(self.requests(2), how):
                assert len({c.text for c in found}) == len(found) <= how.num_return_sequences
        assert len(generator(self.requests(1), DRAWN)[0]) > 1

    def test_log_probabilities(self, generator: Generator) -> None:
        for how in (SHORT, DRAWN):
            for found in generator(self.requests(2), how):
                assert all(isnan(c.log_probability) or c.log_probability <= 0 for c in found)
                assert [c.mean for c in found] == sorted((c.mean for c in found), reverse=True)

    @pytest.mark.parametrize(
        "how", [GREEDY, replace(DRAWN, num_return_sequences=1)], ids=["greedy", "drawn"]
    )
    def test_a_stream_is_the_text_in_pieces(self, generator: Generator, how: Decoding) -> None:
        for asked in self.requests(2):
            pieces = list(generator.stream(asked, how))
            assert all(pieces)
            assert "".join(pieces) == generator([asked], how)[0][0].text

    def test_a_stream_may_be_left(self, generator: Generator) -> None:
        stream = generator.stream(self.requests(1)[0], Decoding(max_new_tokens=30))
        next(stream)
        del stream
        assert texts(generator, self.requests(1))


def texts(
    generator: Generator, asked: list[GenerationRequest], how: Decoding = SHORT
) -> list[list[str]]:
    """The texts alone, of each request."""
    return [[c.text for c in found] for found in generator(asked, how)]


def _picture(number: int) -> Image.Image:
    return Image.new("RGB", (32, 32), COLOURS[number % len(COLOURS)])


def _numbers(seed: int, size: int) -> Array:
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def _evidence(number: int) -> EvidenceItem:
    return EvidenceItem(
        text=f"a {COLOURS[number % len(COLOURS)]} shirt",
        similarity=1 - number / 10,
        features=_numbers(number, 6),
        vector=normalise(_numbers(number, 5)[None])[0],
        open_picture=partial(_picture, number),
    )
