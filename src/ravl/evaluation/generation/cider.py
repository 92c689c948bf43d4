"""CIDEr-D: agreement of a text with texts of people; rare words and phrases count more.

Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation". As in the COCO
evaluation, ten times the mean cosine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation.words import LONGEST, Phrase, phrases, words_of

SIGMA = 6.0  # tolerance of the length difference, in words
KNOWN = 100_000  # number of cached texts
Read = tuple[list[dict[Phrase, float]], list[float], int]  # weights by length, norms, words


@dataclass(frozen=True, eq=False)
class DocumentFrequency:
    """The document frequency of each phrase; the texts of one picture are one document.

    Args:
        counts: the number of documents with each phrase.
        documents: the number of documents.
    """

    counts: Counter[Phrase]
    documents: int
    _known: dict[str, Read] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, documents: Sequence[Sequence[str]]) -> DocumentFrequency:
        """Count the phrases in the texts of each picture."""
        counts: Counter[Phrase] = Counter()
        for texts in documents:
            counts.update({phrase for text in texts for phrase in phrases(words_of(text))})
        return cls(counts, len(documents))

    def read(self, text: str) -> Read:
        """A text's phrases with their weights by length, the norms, and the number of words."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            found = self._known[text] = self._read(text)
        return found

    def _read(self, text: str) -> Read:
        words = words_of(text)
        weights: list[dict[Phrase, float]] = [{} for _ in range(LONGEST)]
        most = np.log(max(self.documents, 1))
        for phrase, count in phrases(words).items():
            rare = most - np.log(max(1, self.counts.get(phrase, 0)))
            weights[len(phrase) - 1][phrase] = count * float(rare)
        norms = [float(np.sqrt(sum(w * w for w in its.values()))) for its in weights]
        return weights, norms, len(words)


def rate(
    candidates: Sequence[str], references: Sequence[str], frequency: DocumentFrequency
) -> NDArray[np.float64]:
    """CIDEr-D of several texts about one picture, (c,).

    Args:
        candidates: the texts to rate.
        references: texts of people about the picture, at least one.
        frequency: the document frequencies.
    """
    people = [frequency.read(text) for text in references]
    return np.array(
        [np.mean([_similarity(frequency.read(c), r) for r in people]) for c in candidates],
        np.float64,
    )


def scores(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    frequency: DocumentFrequency | None = None,
) -> NDArray[np.float64]:
    """CIDEr-D of one text about each picture, (n,); the score of the set is the mean.

    Args:
        candidates: n texts.
        references: texts of people for each.
        frequency: the document frequencies; None counts the references, as in the COCO evaluation.
    """
    frequency = frequency or DocumentFrequency.of(references)
    return np.array(
        [rate([c], r, frequency)[0] for c, r in zip(candidates, references, strict=True)],
        np.float64,
    )


def _similarity(one: Read, other: Read) -> float:
    """Ten times the mean cosine over the lengths of phrases; repeated words do not help."""
    total = 0.0
    for own, theirs, norm, their_norm in zip(one[0], other[0], one[1], other[1], strict=True):
        if norm and their_norm:
            shared = sum(min(w, theirs[p]) * theirs[p] for p, w in own.items() if p in theirs)
            total += shared / (norm * their_norm)
    return 10 * total / LONGEST * float(np.exp(-((one[2] - other[2]) ** 2) / (2 * SIGMA**2)))
