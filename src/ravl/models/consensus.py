"""Consensus among texts: the text that is most similar to the others.

What the captions of similar pictures have in common is a good description of a new one (Devlin et
al. 2015, "Exploring Nearest Neighbor Approaches for Image Captioning"). Texts are compared by their
words and short phrases; rare ones count more, as in CIDEr (Vedantam et al. 2015).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.evaluation.generation.words import LONGEST, phrases, words_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SAMPLE = 2000  # maximal number of documents for the counts of phrases
KNOWN = 200_000  # number of cached texts


@dataclass(frozen=True, eq=False)
class Comparable(ABC):
    """Texts as sparse vectors; the dot product of two is their similarity, 0 to 1.

    Args:
        places: column of each phrase; new phrases are added.
    """

    places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _known: dict[str, tuple[NDArray[np.int64], Array]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, texts: Iterable[str]) -> csr_matrix:
        """Texts as rows (t, V)."""
        from scipy.sparse import csr_matrix

        found = [self._row(text) for text in texts]
        starts = np.cumsum([0, *(len(columns) for columns, _ in found)])
        columns = np.concatenate([np.zeros(0, np.int64), *(c for c, _ in found)])
        values = np.concatenate([np.zeros(0, np.float32), *(v for _, v in found)])
        return csr_matrix((values, columns, starts), shape=(len(found), len(self.places)))

    def _row(self, text: str) -> tuple[NDArray[np.int64], Array]:
        """Columns and values of a text; known texts are not read again."""
        found = self._known.get(text)
        if found is None:
            with self._lock:  # two phrases must not get the same column
                if len(self._known) >= KNOWN:
                    self._known.clear()
                found = self._known[text] = self._read(text)
        return found

    @abstractmethod
    def _read(self, text: str) -> tuple[NDArray[np.int64], Array]:
        """The same for a new text."""


@dataclass(frozen=True, eq=False)
class Phrases(Comparable):
    """The phrases of a collection of texts, and their weights.

    The similarity of two texts is the mean of the cosines of their n-grams over n = 1 to 4, so
    texts of fewer than four words are less similar, as in CIDEr.

    Args:
        places: column of each phrase.
        weight: inverse document frequency by column; a row of the memory is a document.
        rarest: weight of a phrase that was not counted.
    """

    weight: dict[int, float] = field(default_factory=dict)
    rarest: float = 0.0

    @classmethod
    def of(cls, texts: Sequence[str], owners: Sequence[int] | Numbers) -> Phrases:
        """Count phrases in texts; texts with the same owner are one document.

        Of many documents only a sample is counted, which is enough for the weights.
        """
        names = np.unique(np.asarray(owners))
        counted = set(names[:: max(1, len(names) // SAMPLE)].tolist())
        documents: dict[int, set[tuple[str, ...]]] = {}
        for text, owner in zip(texts, np.asarray(owners).tolist(), strict=True):
            if owner in counted:
                documents.setdefault(owner, set()).update(phrases(words_of(text)))
        counts: Counter[tuple[str, ...]] = Counter()
        for found in documents.values():
            counts.update(found)
        many = float(np.log(max(len(documents), 2)))
        common = [(phrase, count) for phrase, count in counts.items() if count > 1]
        places = {phrase: i for i, (phrase, _) in enumerate(common)}
        weight = {i: many - float(np.log(count)) for i, (_, count) in enumerate(common)}
        return cls(places, weight=weight, rarest=many)

    def rarity(self, phrase: tuple[str, ...]) -> float:
        """Weight of a phrase: its inverse document frequency."""
        return self.weight.get(self.places.get(phrase, -1), self.rarest)

    def _read(self, text: str) -> tuple[NDArray[np.int64], Array]:
        counts = phrases(words_of(text))
        columns, weights = np.zeros(len(counts), np.int64), np.zeros(len(counts))
        squares = np.zeros(LONGEST + 1)
        lengths = np.array([len(phrase) for phrase in counts], np.int64)
        for i, (phrase, count) in enumerate(counts.items()):
            # A phrase that was not counted is one of the rarest.
            place = self.places.setdefault(phrase, len(self.places))
            columns[i] = place
            weights[i] = count * self.weight.get(place, self.rarest)
        np.add.at(squares, lengths, weights**2)
        scale = np.sqrt(np.maximum(squares, 1e-12) * LONGEST)
        return columns, (weights / scale[lengths]).astype(np.float32)


def alike(some: csr_matrix, others: csr_matrix) -> Array:
    """Similarity of texts (s, V) to others (o, V'), (s, o); new phrases have later columns."""
    width = max(some.shape[1], others.shape[1])
    some.resize(some.shape[0], width)
    others.resize(others.shape[0], width)
    found: Array = (some @ others.T).toarray()
    return found


def support(
    candidates: csr_matrix, voters: csr_matrix, shares: Array, own: NDArray[np.bool_] | None
) -> Array:
    """The agreement of the voters with each candidate, (c,), 0 to 1.

    Args:
        candidates: texts (c, V), by a :class:`Comparable`.
        voters: other texts, (v, V).
        shares: of each voter, (v,).
        own: (c, v), True if a voter must not count for a candidate because both belong to the same
            row: descriptions of the same picture agree more than those of similar pictures. None
            means never.
    """
    similarity = alike(candidates, voters)  # (c, v)
    weights = np.broadcast_to(shares, similarity.shape) if own is None else np.where(own, 0, shares)
    agreed: Array = (similarity * weights).sum(1) / np.maximum(weights.sum(1), 1e-9)
    return agreed.astype(np.float32)
