"""New captions made of the n-grams of the neighbours' captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation.generation.cider import SIGMA
from ravl.evaluation.generation.words import LONGEST, WORDS, words_of
from ravl.models.consensus import KNOWN, Phrases, alike
from ravl.models.kernel_ridge import ridge_weights
from ravl.models.minimum_risk import LONGEST_SENTENCE, Risk, Sentence
from ravl.models.ngrams import NgramModel, Words
from ravl.models.spelling import Spelling
from ravl.retrieval.datastore import Ints
from ravl.tasks.caption.consensus import CaptionIndex, ConsensusTexts
from ravl.tasks.caption.proposals import BY_COMPOSER

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NEAREST = 1000  # rows that the ridge weighs
POOL = 1000  # their best captions, of which new ones are made
CONTEXT = 3  # words before each word that some caption of the pool has there, too
ORDER = 5  # of the n-gram model
FLUENCY = 0.2  # of the agreement of the best caption
KEPT = 50  # sentences that are kept of a search
# What tells them apart beside their score, of the agreement of the best caption: the log
# probability of the least usual word, and the similarity to the caption that is most like it.
ODDEST, CLOSEST = 0.04, 0.3
SAID_BY = 100  # captions that are named as evidence of a text


@lru_cache(maxsize=KNOWN)
def _words(text: str) -> Words:
    return tuple(words_of(text))


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


@dataclass(frozen=True, eq=False)
class Captions:
    """The captions of a picture's neighbours, and what each is worth for it.

    Args:
        index: of the datastore's texts; its phrases must be ``Phrases``.
        texts: positions among the texts, (t,).
        weights: of each, (t,), some below 0.
    """

    index: CaptionIndex
    texts: Ints
    weights: Array

    @classmethod
    def of(cls, index: CaptionIndex, rows: Ints, key: Array) -> Captions:
        """Those of some rows, for a picture with this key, (d,)."""
        by_row = ridge_weights(index.row_texts.datastore.keys_at(rows), key)
        spoken = [index.spoken(row) for row in rows.tolist()]
        counts = np.array([len(its) for its in spoken], np.int64)
        texts = np.concatenate([np.zeros(0, np.int64), *spoken])
        each = np.repeat(by_row / np.maximum(counts, 1), counts).astype(np.float32)
        return cls(index, texts, each)

    @cached_property
    def vectors(self) -> csr_matrix:
        """Phrases of the texts, sparse (t, V)."""
        return self.index.vectors(self.texts)

    @cached_property
    def expected(self) -> Array:
        """Phrases of what people would say, (V,): the weighted sum of the texts'."""
        found: Array = self.vectors.T @ self.weights
        return found

    @cached_property
    def words(self) -> list[Words]:
        """Words of the texts."""
        return [_words(self.index.row_texts.texts[t]) for t in self.texts.tolist()]

    @cached_property
    def lengths(self) -> Array:
        """What a sentence of so many words keeps of its similarity, as CIDEr-D compares lengths."""
        said = np.array([len(words) for words in self.words], np.float32)
        shares = np.maximum(self.weights, 0)
        distance = np.arange(LONGEST_SENTENCE + 1)[:, None] - said
        kept = np.exp(-(distance**2) / (2 * SIGMA**2)) @ shares
        factors: Array = kept / max(float(shares.sum()), 1e-9)
        return factors

    @cached_property
    def worth(self) -> Array:
        """How far what people would say agrees with each text, (t,)."""
        long = [min(len(words), LONGEST_SENTENCE) for words in self.words]
        found: Array = (self.vectors @ self.expected) * self.lengths[long]
        return found

    @cached_property
    def order(self) -> Ints:
        """Places of the texts among themselves, the best first, (t,)."""
        return np.argsort(-self.worth, kind="stable")

    def agreement(self, texts: Sequence[str]) -> Array:
        """How far what people would say agrees with other texts, (n,)."""
        vectors = self.index.phrases(texts)
        vectors.resize(vectors.shape[0], max(vectors.shape[1], len(self.expected)))
        long = [min(len(_words(text)), LONGEST_SENTENCE) for text in texts]
        similar = vectors[:, : len(self.expected)] @ self.expected
        found: Array = (similar * self.lengths[long]).astype(np.float32)
        return found

    def composed(self) -> list[Sentence]:
        """New sentences and the best captions as they are, the best first."""
        pool = [self.words[i] for i in self.order[:POOL].tolist() if self.words[i]]
        if not pool:
            return []
        model, risk = NgramModel(pool, ORDER, CONTEXT), self._risk()
        found = {s.words: s for s in risk.sentences(model)[:KEPT]}
        for words in pool[:KEPT]:
            if words not in found and len(words) <= LONGEST_SENTENCE:
                found[words] = risk.sentence(model, words)
        return self._sensible(list(found.values()))

    def _sensible(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """The best first; those that no caption is like may be usual in each part and mean nothing.

        ``score`` becomes what they are ordered by.
        """
        vectors = self.index.phrases([" ".join(s.words) for s in sentences])
        closest = alike(vectors, self.vectors[self.order[:POOL]]).max(axis=1)
        best = max(float(self.worth[self.order[0]]), 0.0)
        ordered = [
            replace(s, score=s.score + best * (ODDEST * s.oddest + CLOSEST * float(close)))
            for s, close in zip(sentences, closest, strict=True)
        ]
        return sorted(ordered, key=lambda s: -s.score)

    def _risk(self) -> Risk:
        phrases, expected = self.index.phrases, self.expected
        assert isinstance(phrases, Phrases)

        @cache
        def gain(gram: Words) -> float:
            place = phrases.places.get(gram, len(expected))
            if place >= len(expected):
                return 0.0
            return phrases.rarity(gram) * float(expected[place]) / sqrt(LONGEST)

        best = float(self.worth[self.order[0]])
        return Risk(cache(phrases.rarity), gain, self.lengths, FLUENCY * max(best, 0.0))

    @cached_property
    def _spelling(self) -> Spelling:
        best = self.texts[self.order[:POOL]].tolist()
        return Spelling.of([self.index.row_texts.texts[t] for t in best])

    def text(self, words: Words) -> str:
        """A caption as it is, or new words as the captions write theirs."""
        place = self._own.get(words)
        if place is None:
            return self._spelling(words)
        return self.index.row_texts.texts[int(self.texts[place])]

    @cached_property
    def _own(self) -> dict[Words, int]:
        """The best caption that says just these words, a place among the texts."""
        return {self.words[i]: i for i in reversed(self.order.tolist())}

    def row_of(self, words: Words) -> int:
        """The row of which this is a caption, ``BY_COMPOSER`` for a new sentence."""
        place = self._own.get(words)
        if place is None:
            return BY_COMPOSER
        return int(self.index.row_texts.owners[self.texts[place]])

    def behind(self, text: str) -> ConsensusTexts:
        """The captions, the best first, and the share of each in a text.

        A text's agreement is a sum over the captions; the share of a caption is its part of this
        sum: what it says of the text's n-grams, times its weight.
        """
        texts = self.index.row_texts.texts
        first: dict[str, int] = {}
        for i in self.order.tolist():
            first.setdefault(texts[int(self.texts[i])], i)
        best = np.array(list(first.values()), np.int64)
        agreed = np.maximum(alike(self.vectors, self.index.phrases([text]))[:, 0], 0) * self.weights
        voters = np.argsort(-agreed, kind="stable")[:SAID_BY]
        voters = voters[agreed[voters] > 0]
        shares = agreed[voters] / max(float(agreed[voters].sum()), 1e-12)
        owners = self.index.row_texts.owners[self.texts]
        support = self.worth[best].clip(0, 1).astype(np.float32)
        return ConsensusTexts(
            self.texts[best],
            support,
            owners[best],
            self.texts[voters],
            shares.astype(np.float32),
            self,
        )

    def parts(self, text: str) -> dict[str, int]:
        """The longest phrases of a text that captions say, and the row of the best of these each.

        Args:
            text: composed, written, or a caption. Words that no caption says are passed over.
        """
        captions = [(_spaced(self.words[i]), i) for i in self.order[:POOL].tolist()]
        owners = self.index.row_texts.owners[self.texts]
        written = WORDS.findall(text)
        found: dict[str, int] = {}
        start = 0
        while start < len(written):
            saying, end = captions, start
            while end < len(written):
                phrase = _spaced([word.lower() for word in written[start : end + 1]])
                still = [(caption, i) for caption, i in saying if phrase in caption]
                if not still:
                    break
                saying, end = still, end + 1
            if end > start:
                found[" ".join(written[start:end])] = int(owners[saying[0][1]])
            start = max(end, start + 1)
        return found
