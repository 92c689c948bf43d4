"""Grounded mode: nouns that a caption may use, since the evidence has them."""

from __future__ import annotations

from collections import defaultdict

from ravl.evaluation.generation.words import words_of
from ravl.tasks.caption.consensus import CaptionIndex, ConsensusTexts

ENOUGH = 0.05  # of the vote: rows with this much of it together must use a word


def known_words(index: CaptionIndex, recalled: ConsensusTexts) -> frozenset[str]:
    """Words of the texts, labels and tags of rows that have enough of the vote together.

    Args:
        index: of the datastore's texts.
        recalled: what was found for the picture.
    """
    shares: dict[str, float] = defaultdict(float)
    by_row: dict[int, set[str]] = defaultdict(set)
    weight: dict[int, float] = defaultdict(float)
    for text, share in zip(recalled.voters.tolist(), recalled.shares.tolist(), strict=True):
        row = int(index.row_texts.owners[text])
        weight[row] += share
        by_row[row].update(words_of(index.row_texts.texts[text]))
    for row, words in by_row.items():
        of_row = index.row_texts.datastore.rows[row]
        for name in (of_row.label or "", *of_row.tags):
            words.update(words_of(name))
        for word in words:
            shares[word] += weight[row]
    total = max(sum(weight.values()), 1e-9)
    return frozenset(word for word, share in shares.items() if share / total >= ENOUGH)
