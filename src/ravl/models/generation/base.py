"""The interface of generators: requests with evidence, candidates with probabilities.

There is one kind of request for all of them. The fused generator reads vectors and words of the
evidence, decoder-only language models and chat models read it as a prompt, and a model behind a
server gets it over HTTP. Evidence is data, never an instruction: only
:mod:`ravl.models.generation.prompts` turns it into text that a model reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, runtime_checkable

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.json_types import JsonObject, JsonRecord

LARGEST = 2**32  # number in the settings that a run keeps; the seed is the largest
OpenPicture = Callable[[], Image.Image]  # opens a picture, RGB, when a generator needs it


@dataclass(frozen=True, eq=False)
class EvidenceItem:
    """One neighbour as a generator reads it: a picture with what is said of it, or a passage.

    Args:
        text: a caption, an answer, or a passage of a text-only row.
        question: that the text answers; empty if it answers none.
        similarity: to what was asked, a cosine; 0 if it was not compared.
        features: of its picture, standardised, (F,); None for a passage.
        vector: of its text, L2-normalised, (D,); None if it was not read.
        open_picture: opens its picture.
    """

    text: str
    question: str = ""
    similarity: float = 0.0
    features: Array | None = None
    vector: Array | None = None
    open_picture: OpenPicture | None = None


@dataclass(frozen=True, eq=False)
class GenerationRequest:
    """A request for a text about one picture.

    Args:
        features: of the picture, standardised, (F,).
        question: to be answered; empty for a description.
        instruction: style, length or audience in words; generators that read no instructions ignore
            it.
        evidence_items: the evidence, best first.
        weighted_texts: all texts of the neighbours, each with its share of the vote.
        open_picture: opens the picture.
        regions: parts of it, standardised, (R, G); None without regions.
    """

    features: Array
    question: str = ""
    instruction: str = ""
    evidence_items: Sequence[EvidenceItem] = ()
    weighted_texts: Sequence[tuple[str, float]] = ()
    open_picture: OpenPicture | None = None
    regions: Array | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One generated text.

    Args:
        text: without special tokens.
        log_probability: of all its tokens together, natural logarithm; NaN where the generator
            does not tell.
        tokens: number of tokens, including the end token.
    """

    text: str
    log_probability: float
    tokens: int

    @property
    def mean(self) -> float:
        """Log probability per token, to compare texts of different lengths."""
        return self.log_probability / max(self.tokens, 1)


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Generation settings.

    Args:
        num_beams: of the beam search; 1 for greedy.
        num_return_sequences: different texts of each request, best first; there may be fewer.
        max_new_tokens: tokens at most; 0 for what the generator is used to.
        min_new_tokens: tokens at least.
        do_sample: draw tokens at random instead of searching, ``num_return_sequences`` texts.
        temperature: of the sampling; below 1 likelier, above 1 more varied.
        top_p: share of the probability to sample from (nucleus sampling, Holtzman et al. 2020).
        length_penalty: exponent of the length that a beam's log probability is divided by; larger
            prefers longer texts.
        no_repeat_ngram_size: n-grams of this size occur only once; 0 for no limit.
        require: words or phrases that must occur.
        forbid: words or phrases that must not.
        nouns: the only nouns that may occur; None for all. See grounded mode.
        schema: JSON schema that the text must satisfy, as JSON; empty for none.
        grammar: Lark grammar that it must satisfy; empty for none.
        seed: of the sampling.

    Raises:
        QueryError: a value is out of range, or two values contradict each other.
    """

    num_beams: int = 4
    num_return_sequences: int = 1
    max_new_tokens: int = 0
    min_new_tokens: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    nouns: frozenset[str] | None = None
    schema: str = ""
    grammar: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (
            ("num_beams", 1),
            ("num_return_sequences", 1),
            ("max_new_tokens", 0),
            ("min_new_tokens", 0),
            ("no_repeat_ngram_size", 0),
        ):
            if getattr(self, name) < low:
                raise QueryError(f"{name} is {getattr(self, name)}; it must be at least {low}.")
        if not self.temperature > 0:
            raise QueryError(f"temperature is {self.temperature}; it must be more than 0.")
        if not 0 < self.top_p <= 1:
            raise QueryError(f"top_p is {self.top_p}; it must be more than 0 and at most 1.")
        if self.max_new_tokens and self.min_new_tokens > self.max_new_tokens:
            raise QueryError(
                f"min_new_tokens is {self.min_new_tokens}, which is more than max_new_tokens, "
                f"{self.max_new_tokens}. Lower one of the two, or raise the other."
            )
        if both := {w.lower() for w in self.require} & {w.lower() for w in self.forbid}:
            raise QueryError(f"{min(both)!r} is both required and forbidden. Leave one out.")
        if self.schema and self.grammar:
            raise QueryError("A text follows a schema or a grammar, not both. Leave one out.")

    @classmethod
    def from_json(cls, record: JsonRecord) -> Self:
        """The settings that a run keeps.

        Raises:
            AttributeError, QueryError, TypeError, ValueError: they are not settings of generation.
        """
        values: JsonObject = {
            name: tuple(v) if isinstance(v, list) else v for name, v in record.items()
        }
        for each in fields(cls):
            value = values.get(each.name, each.default)
            kinds = (int, float) if each.type == "float" else (type(each.default),)
            texts = all(type(text) is str for text in value) if type(value) is tuple else True
            large = type(value) in (int, float) and not abs(value) <= LARGEST
            if type(value) not in kinds or not texts or large:
                raise ValueError(f"{each.name!r} is {value!r:.50}")
        return cls(**values)

    @property
    def plain(self) -> bool:
        """True if there are no constraints on words."""
        free = Decoding(
            **{f.name: getattr(self, f.name) for f in fields(self) if f.name not in CONSTRAINTS}
        )
        return self == free


CONSTRAINTS = ("require", "forbid", "nouns", "schema", "grammar")


@runtime_checkable
class Generator(Protocol):
    """Generates texts about pictures.

    Every implementation passes the suite in :mod:`ravl.testing.generator_contract`. What an entry
    point of the group ``ravl.generators`` names is called with what stands behind the colon of
    ``SCHEME:REST``, and with keywords, see :func:`ravl.models.generation.loading.load_generator`.
    A generator with a method ``save(folder)`` is kept within a run, and loaded as
    ``SCHEME:FOLDER``.
    """

    @property
    def spec(self) -> str:
        """The name of the generator in settings: ``fused``, ``hf:...``, ``openai:...``."""

    @property
    def evidence(self) -> int:
        """Maximal number of neighbours that it reads; 0 if it reads no neighbours."""

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, the most likely first; at least one each, in batches.

        Raises:
            QueryError: the generator does not support ``how``.
        """

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request in pieces, while it is generated; greedy or sampled."""


class ScoringGenerator(Generator, Protocol):
    """A generator that also says how likely given texts are."""

    def log_probabilities(
        self, requests: Sequence[GenerationRequest], texts: Sequence[Sequence[str]]
    ) -> list[list[Candidate]]:
        """Given texts of each request as candidates, in their order."""


def stacked(vectors: Sequence[Array | None], size: int) -> tuple[Array, Array]:
    """Stacked vectors (n, size), zeros for None, and their mask (n,) 0 or 1."""
    found = np.zeros((len(vectors), size), np.float32)
    there = np.array([v is not None for v in vectors], np.float32)
    for i, vector in enumerate(vectors):
        if vector is not None:
            found[i] = vector
    return found, there


def best_first(candidates: Sequence[Candidate], penalty: float) -> list[Candidate]:
    """Candidates without duplicates, the most likely first.

    Args:
        candidates: of one request.
        penalty: exponent of the length that log probabilities are divided by.
    """
    ordered = sorted(candidates, key=lambda c: -c.log_probability / c.tokens**penalty)
    return list({c.text: c for c in reversed(ordered)}.values())[::-1]
