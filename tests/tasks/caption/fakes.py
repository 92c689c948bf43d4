"""A generator that writes what it is told to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ravl.models.generation.base import Candidate, Decoding, GenerationRequest


class FakeGenerator:
    """Writes the same candidates about every picture, the first the likeliest.

    Args:
        texts: that it writes.
        evidence: neighbours that it reads.
    """

    spec = "fake"

    def __init__(self, texts: Sequence[str] = ("a red thing", "a thing"), evidence: int = 2):
        self.texts = texts
        self.evidence = evidence
        self.asked: list[GenerationRequest] = []
        self.how: list[Decoding] = []

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        how = how or Decoding()
        self.asked += requests
        self.how.append(how)
        texts = [t for t in self.texts if all(w in t for w in how.require)][
            : how.num_return_sequences
        ]
        return [[Candidate(t, -1.0 - i, 4) for i, t in enumerate(texts)] for _ in requests]

    def log_probabilities(
        self, requests: Sequence[GenerationRequest], texts: Sequence[Sequence[str]]
    ) -> list[list[Candidate]]:
        return [[Candidate(t, -9.0, 4) for t in its] for its in texts]

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        self.asked.append(request)
        yield from ("a ", "red ", "thing")
