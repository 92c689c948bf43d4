"""Passages: long texts of a memory in pieces that answer one question each.

Texts of rows without a picture are what a memory *knows* beside its pictures. They are split when
they are read, not in the file, and found by meaning and by words together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array, Encoder
from ravl.memory import Memory, Row
from ravl.retrieval.datastore import Ints
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.vectors import kept_vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

WORD = r"(?u)\b\w+\b"
WORDS = 60  # of a passage, about
BY_WORDS = 0.5  # how much words count beside meaning
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\s*\n\s*")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # written without spaces


@dataclass(frozen=True, eq=False)
class Passages:
    """The passages of a memory.

    Args:
        rows: that each is of, T.
        texts: T.
        vectors: of the texts by the base encoder, (T, D).
        base: that encoder.
        words: counts a text's words, the rare ones for more; scikit-learn's.
        counts: of the texts, (T, V) sparse.
    """

    rows: list[Row]
    texts: list[str]
    vectors: Array
    base: Encoder
    words: TfidfVectorizer | None  # None where all words are stop words
    counts: csr_matrix | None

    @classmethod
    def of(cls, memory: Memory) -> Passages | None:
        """Those of a memory; None where it has no text without a picture."""
        texts = [row for row in memory.rows() if row.hash is None]
        return cls.of_rows(texts, base_of(memory.encoder))

    @classmethod
    def of_rows(cls, rows: Sequence[Row], base: Encoder) -> Passages | None:
        """Those of rows without a picture, read by an encoder; None where they have no text."""
        found = [
            (row, piece) for row in rows for text in row.texts for piece in split_passages(text)
        ]
        if not found:
            return None
        from sklearn.feature_extraction.text import TfidfVectorizer

        owners, texts = [row for row, _ in found], [text for _, text in found]
        words = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=WORD)
        try:
            counts = words.fit_transform(texts)
        except ValueError:  # nothing but stop words
            words, counts = None, None
        return cls(owners, texts, kept_vectors(base, texts), base, words, counts)

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, queries: Sequence[str], k: int) -> tuple[Ints, Array]:
        """The k best passages for each query: positions and scores 0 to 1, (n, k), best first."""
        scores = self._scores(queries, self.vectors, self.counts)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(self))]
        return best.astype(np.int64), np.take_along_axis(scores, best, 1)

    def sentence(self, query: str, passage: int) -> tuple[str, float]:
        """The sentence of a passage that answers a query best, and its score."""
        parts = sentences(self.texts[passage])
        counts = None if self.words is None else self.words.transform(parts)
        scores = self._scores([query], self.base.embed_texts(parts), counts)[0]
        return parts[int(scores.argmax())], float(scores.max())

    def _scores(self, queries: Sequence[str], vectors: Array, counts: csr_matrix | None) -> Array:
        """Of n queries and t texts by meaning and words, (n, t)."""
        found: Array = kept_vectors(self.base, queries) @ vectors.T
        found = np.clip(found, 0, 1).astype(np.float32)
        if counts is None or self.words is None:
            return found
        shared = (self.words.transform(queries) @ counts.T).toarray()
        mixed: Array = ((1 - BY_WORDS) * found + BY_WORDS * shared).astype(np.float32)
        return mixed


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without empty ones."""
    return [part for piece in _SENTENCE.split(text) if (part := " ".join(piece.split()))]


def split_passages(text: str, words: int = WORDS) -> list[str]:
    """A text in pieces of about so many words, at the ends of sentences where there are such.

    A sentence of more than twice as many words, such as a table, is cut between words.
    """
    pieces: list[list[str]] = []
    size = 0
    for sentence in sentences(text):
        for part in _cut(sentence, 2 * words):
            count = _count(part)
            if not pieces or size + count > words:
                pieces.append([])
                size = 0
            pieces[-1].append(part)
            size += count
    return [" ".join(piece) for piece in pieces]


def _cut(sentence: str, most: int) -> list[str]:
    if _count(sentence) <= most:
        return [sentence]
    parts = sentence.split()
    if len(parts) > 1:
        return [" ".join(parts[i : i + most]) for i in range(0, len(parts), most)]
    return [sentence[i : i + 4 * most] for i in range(0, len(sentence), 4 * most)]


def _count(text: str) -> int:
    """Words, or half as many characters where a language has no spaces."""
    return max(len(text.split()), len(_WIDE.findall(text)) // 2, len(text) // 32)
