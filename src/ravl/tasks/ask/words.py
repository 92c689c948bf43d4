"""The words of questions as vectors: what a sentence vector blurs, such as "left" and "right".

Feature hashing (Weinberger et al. 2009) needs no vocabulary, so that a new word counts at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ravl.encoders.base import Array, normalise
from ravl.evaluation.generation.words import words_of

COLUMNS = 512  # DAQUAR has 2,500 words; 256 columns do about as well, and 1,024 no better

MOST_COLUMNS = 65_536


def word_vectors(texts: Sequence[str], columns: int = COLUMNS) -> Array:
    """Hashed words and pairs of words, (n, columns), L2-normalised; zeros without any word.

    Args:
        texts: n of them.
        columns: into which words are hashed, each with a sign of its own.
    """
    found = np.zeros((len(texts), columns), np.float32)
    for i, text in enumerate(texts):
        words = words_of(text)
        for phrase in {*words, *(f"{a} {b}" for a, b in pairwise(words))}:
            code = zlib.crc32(phrase.encode("utf-8", "replace"))
            found[i, code % columns] += 1 if code >> 20 & 1 else -1
    return normalise(found)
