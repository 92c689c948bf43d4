"""Requests as arrays, as the fused generator reads them; needs no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.models.generation.base import EvidenceItem, GenerationRequest, stacked
from ravl.retrieval.datastore import Ints

QUOTED = 64  # word pieces that are read of a passage, of which most have no more
READ = 160  # word pieces of a question and all passages, at most
KNOWN = 200_000  # texts whose words are remembered
FAINT = 0.02  # share of the evidence below which a word hardly counts


class CopyPrior:
    """How much the weighted texts of requests use each word.

    Args:
        words_of: the different ids of a text.
        size: W, of the vocabulary.
    """

    def __init__(self, words_of: Callable[[str], Ints], size: int) -> None:
        self._words_of, self._size = words_of, size
        self._known: dict[str, Ints] = {}

    def __call__(self, requests: Sequence[GenerationRequest]) -> Array:
        """Shares of the evidence that use each word, (b, W)."""
        shares = np.zeros((len(requests), self._size), np.float32)
        for line, request in zip(shares, requests, strict=True):
            for text, share in request.weighted_texts:
                line[self._of(text)] += share
        return shares

    def _of(self, text: str) -> Ints:
        """The different words of a text; known texts are not read again."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            found = self._known[text] = self._words_of(text)
        return found


def pictures_of(requests: Sequence[GenerationRequest]) -> Array:
    """Features of the pictures, (b, F)."""
    return np.stack([request.features for request in requests]).astype(np.float32)


def regions_of(requests: Sequence[GenerationRequest], count: int, size: int) -> Array:
    """Regions of the pictures, (b, R, G); zeros without regions."""
    blank = np.zeros((count, size), np.float32)
    return np.stack([blank if r.regions is None else r.regions for r in requests]).astype(
        np.float32
    )


def neighbours_of(
    requests: Sequence[GenerationRequest], k: int, features: int, vectors: int
) -> dict[str, Numbers]:
    """The neighbours as a fusion encoder reads them; see :func:`ravl.models.evidence.gathered`.

    Args:
        requests: b of them.
        k: neighbours of each at most; the rest is left out.
        features: F, of pictures.
        vectors: D, of texts.
    """
    shown = [[e for e in r.evidence_items if e.features is not None][:k] for r in requests]
    flat: list[EvidenceItem | None] = [e for its in shown for e in its + [None] * (k - len(its))]
    shape = len(requests), k

    def table(values: list[Array | None], size: int) -> tuple[Array, NDArray[np.bool_]]:
        found, there = stacked(values, size)
        return found.reshape(*shape, size), (there > 0).reshape(shape)

    seen, picture = table([e.features if e else None for e in flat], features)
    texts, text = table([e.vector if e else None for e in flat], vectors)
    similarity = np.array([e.similarity if e else 0.0 for e in flat], np.float32).reshape(shape)
    return {
        "features": seen,
        "labels": np.zeros_like(texts),
        "texts": texts,
        "likeness": similarity,
        "picture": picture,
        "label": np.zeros(shape, np.bool_),
        "text": text,
    }


class WordTokenizer(Protocol):
    """Turns texts into word pieces, such as :class:`ravl.models.tokenizer.WordPieceTokenizer`."""

    max_length: int

    @property
    def separator(self) -> int:
        """Id of the word piece between texts."""

    def __call__(self, texts: Sequence[str]) -> Sequence[Any]:
        """Ids of each text, an array or tensor (t,)."""


def words_of(words: WordTokenizer, requests: Sequence[GenerationRequest]) -> Ints | None:
    """Word pieces of questions and passages (b, t); None if there is nothing to read."""
    quoted = [[e.text for e in r.evidence_items if e.features is None] for r in requests]
    if not any(quoted) and not any(r.question for r in requests):
        return None
    return word_lines(words, [r.question for r in requests], quoted)


def word_lines(
    words: WordTokenizer, questions: Sequence[str], passages: Sequence[Sequence[str]]
) -> Ints:
    """Questions with passages behind them as word pieces, (b, t), 0 for none.

    Args:
        words: the tokenizer of the language model that reads, such as
            :class:`ravl.models.tokenizer.WordPieceTokenizer`.
        questions: b of them; empty for none.
        passages: of each, best first; the last are cut where there is no room.
    """
    read = words(questions)
    pieces = iter(words([text for its in passages for text in its]))
    end = [words.separator]
    lines = []
    for question, ids, its in zip(questions, read, passages, strict=True):
        # Passages begin behind an end; where nothing is to be read, there is nothing.
        line = [*ids.tolist(), *end] if question else end[: len(its)]
        for _ in its:
            line += [*next(pieces)[:QUOTED].tolist(), *end]
        lines.append(line[: words.max_length])
    return padded(lines)


def padded(lines: Sequence[Sequence[int]]) -> Ints:
    """Ids of b lines below each other, (b, t), with 0 behind those that are shorter."""
    found = np.zeros((len(lines), max(map(len, lines), default=0)), np.int64)
    for row, line in zip(found, lines, strict=True):
        row[: len(line)] = line
    return found
