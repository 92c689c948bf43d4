"""Texts as people type them into a search box: with words left out, or keywords alone.

Captions are sentences, queries rarely are. Variants of each training text are read once and take
its place by chance (word dropout: Iyyer et al. 2015; EDA, Wei & Zou 2019).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

DROPPED = 0.3  # share of the words that a variant lacks
FEWEST = 3  # words, below which a text is left whole
# What a search box rarely gets.
SMALL = {
    *("a", "an", "the", "is", "are", "was", "were", "be", "been", "being", "of", "in", "on", "at"),
    *("to", "for", "with", "and", "or", "by", "from", "as", "it", "its", "this", "that", "these"),
    *("those", "his", "her", "their", "there", ""),
}


def reworded(texts: Sequence[str], count: int, seed: int) -> list[tuple[str, ...]]:
    """For each text ``count`` variants: keywords alone first, then random words left out.

    Args:
        texts: m of them.
        count: variants of each.
        seed: of what is left out.
    """
    return [
        _variants(text, count, np.random.default_rng([seed, i])) for i, text in enumerate(texts)
    ]


def _variants(text: str, count: int, random: np.random.Generator) -> tuple[str, ...]:
    words = re.findall(r"\S+", text)
    if len(words) < FEWEST:
        return (text,) * count
    keywords = [w for w in words if w.lower().strip(".,;:!?") not in SMALL]
    found = [" ".join(keywords) or text]
    while len(found) < count:
        kept = random.random(len(words)) >= DROPPED
        found.append(" ".join(w for w, keep in zip(words, kept, strict=True) if keep) or text)
    return tuple(found[:count])
