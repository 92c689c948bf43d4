"""A generator that says the words of its evidence again, the most frequent ones first or drawn."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from math import log

import numpy as np

from ravl.errors import QueryError
from ravl.models.generation.base import Candidate, Decoding, GenerationRequest

LONGEST = 12  # words of a text, where a Decoding does not say


class ToyGenerator:
    """Texts out of the words of the evidence.

    Args:
        style: what stands behind ``toy:``; ``loud`` writes in capitals.
        evidence: neighbours that it reads.
        how: what ravl offers to every generator and this one has no use for.
    """

    def __init__(self, style: str, evidence: int = 4, **how: object) -> None:
        self.style, self.evidence = style, evidence
        self.spec = f"toy:{style}"

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request: the most frequent words, or words drawn by their frequency."""
        how = how or Decoding()
        if not how.plain:
            raise QueryError("The toy generator keeps no constraints. Leave them out.")
        return [self._write(request, how) for request in requests]

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The first text, word by word."""
        text = self([request], how)[0][0].text
        head, *rest = text.split(" ")
        yield head
        yield from (f" {word}" for word in rest)

    def _write(self, request: GenerationRequest, how: Decoding) -> list[Candidate]:
        said = " ".join(
            [request.question, *(e.text for e in request.evidence_items[: self.evidence])]
        )
        counts = Counter(word for word in said.split() if word.isprintable()) or Counter({"?": 1})
        total = sum(counts.values()) + len(request.question.split())
        max_new_tokens = how.max_new_tokens or LONGEST
        if not how.do_sample:
            best = [word for word, _ in counts.most_common()]
            texts = [
                best[i : i + max_new_tokens]
                for i in range(min(how.num_return_sequences, len(best)))
            ]
        else:
            chance = np.random.default_rng([how.seed, zlib.crc32(said.encode("utf-8", "replace"))])
            weights = np.array([*counts.values()]) / sum(counts.values())
            sizes = chance.integers(1, max_new_tokens + 1, how.num_return_sequences)
            texts = [list(chance.choice([*counts], size, p=weights)) for size in sizes]
        found = {
            " ".join(words): Candidate(
                self._styled(" ".join(words)),
                sum(log(counts[word] / (total + 1)) for word in words),
                len(words),
            )
            for words in texts
        }
        return sorted(found.values(), key=lambda c: -c.mean)

    def _styled(self, text: str) -> str:
        return text.upper() if self.style == "loud" else text
