"""Vectors of questions and passages by the base encoder; each text is read once.

The memory keeps vectors of captions only. Those of questions are kept in ravl's cache, by what the
encoder computes and by the text, so that they can be thrown away at any time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl import kept_vectors as kept
from ravl.encoders.base import Array, Encoder
from ravl.memory import Memory
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.words import word_vectors


def question_vectors(memory: Memory, texts: Sequence[str]) -> Array:
    """Vectors of texts, (n, D), L2-normalised; zeros where the language is not read."""
    base = base_of(memory.encoder)
    found = kept_vectors(base, texts)
    found[[not base.supports_language(text) for text in texts]] = 0
    return found


def question_features(memory: Memory, texts: Sequence[str], words: int) -> Array:
    """What keys and models see of questions: their vectors and words, (n, D + words).

    Args:
        memory: whose base encoder reads them.
        texts: n questions.
        words: columns of :func:`ravl.tasks.ask.words.word_vectors`, 0 for none.
    """
    vectors = question_vectors(memory, texts)
    return np.hstack([vectors, word_vectors(texts, words)]) if words else vectors


def kept_vectors(base: Encoder, texts: Sequence[str]) -> Array:
    """Vectors of texts, (n, D), as they were kept, or made now."""
    contents = [text.encode("utf-8", "replace") for text in texts]

    def read(positions: list[int]) -> Array:
        return base.embed_texts([texts[i] for i in positions])

    return kept.kept_vectors(kept.QUESTIONS, base.fingerprint.digest, contents, read)
