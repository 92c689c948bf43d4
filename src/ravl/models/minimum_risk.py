"""Minimum Bayes risk decoding: the sentence that agrees most with what people would say.

People's sentences about a picture are not known, but how much each sentence of its neighbours is
worth is. The expected similarity of any sentence to these, by their n-grams of one to four words,
is a sum over its own n-grams, so that a beam search finds the best (Kumar and Byrne 2004, "Minimum
Bayes-Risk Decoding for Statistical Machine Translation"). The similarity is that of CIDEr-D
(Vedantam et al. 2015). An n-gram model of the same sentences keeps the new one fluent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from ravl.encoders.base import Array
from ravl.evaluation.generation.words import LONGEST
from ravl.models.ngrams import END, NgramModel, Words

BEAMS = 20
LONGEST_SENTENCE = 40  # words


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or the beginning of one.

    Args:
        words: of it.
        gains: agreement of its n-grams of each length, before these are normalised.
        squares: squared norm of the n-grams of each length.
        usual: log probability by the n-gram model.
        oddest: that of its least usual word, its end among them.
        score: what the search maximises.
    """

    words: Words = ()
    gains: tuple[float, ...] = (0.0,) * LONGEST
    squares: tuple[float, ...] = (0.0,) * LONGEST
    usual: float = 0.0
    oddest: float = 0.0
    score: float = 0.0

    @property
    def agreement(self) -> float:
        """Expected similarity to what people would say, without regard to the length."""
        pairs = zip(self.gains, self.squares, strict=True)
        return sum(gain / sqrt(square) for gain, square in pairs if square > 0)


@dataclass(frozen=True, eq=False)
class Risk:
    """What sentences are worth.

    Args:
        rarity: weight of an n-gram: its inverse document frequency.
        gain: the same times its part in the expected sentence.
        lengths: factor of a sentence with so many words, (LONGEST_SENTENCE + 1,).
        fluency: what a unit of mean log probability is worth.
    """

    rarity: Callable[[Words], float]
    gain: Callable[[Words], float]
    lengths: Array
    fluency: float

    def sentences(self, model: NgramModel, beams: int = BEAMS) -> list[Sentence]:
        """Whole sentences in which every word follows some words as in the model's own sentences.

        Returns:
            All that the search came to, the best first.
        """
        whole: list[Sentence] = []
        open_ones = [Sentence()]
        for _ in range(LONGEST_SENTENCE + 1):
            longer: list[Sentence] = []
            for sentence in open_ones:
                for word in model.following(sentence.words):
                    if word == END:
                        whole.append(self.ended(model, sentence))
                    elif len(sentence.words) < LONGEST_SENTENCE:
                        longer.append(self._extended(model, sentence, word))
            longer.sort(key=lambda s: -s.score)
            open_ones = longer[:beams]
        return sorted(whole, key=lambda s: -s.score)

    def sentence(self, model: NgramModel, words: Words) -> Sentence:
        """A given sentence, of at most ``LONGEST_SENTENCE`` words."""
        found = Sentence()
        for word in words[:LONGEST_SENTENCE]:
            found = self._extended(model, found, word)
        return self.ended(model, found)

    def ended(self, model: NgramModel, sentence: Sentence) -> Sentence:
        """The same as a whole sentence."""
        words = sentence.words
        end = model.log_probability(words, END)
        usual, oddest = sentence.usual + end, min(sentence.oddest, end)
        agreement = sentence.agreement * float(self.lengths[len(words)])
        score = agreement + self.fluency * usual / (len(words) + 1)
        return Sentence(words, sentence.gains, sentence.squares, usual, oddest, score)

    def _extended(self, model: NgramModel, sentence: Sentence, word: str) -> Sentence:
        before, words = sentence.words, (*sentence.words, word)
        gains, squares = list(sentence.gains), list(sentence.squares)
        for n in range(1, min(LONGEST, len(words)) + 1):
            gram = words[-n:]
            count = _count(before, gram)
            if not count:  # said again it helps no more, as in CIDEr-D
                gains[n - 1] += self.gain(gram)
            squares[n - 1] += (2 * count + 1) * self.rarity(gram) ** 2
        probability = model.log_probability(before, word)
        usual, oddest = sentence.usual + probability, min(sentence.oddest, probability)
        made = Sentence(words, tuple(gains), tuple(squares), usual, oddest)
        score = made.agreement + self.fluency * usual / len(words)
        return Sentence(words, made.gains, made.squares, usual, oddest, score)


def _count(words: Words, gram: Words) -> int:
    if gram[-1] not in words:
        return 0
    n = len(gram)
    return sum(words[i : i + n] == gram for i in range(len(words) - n + 1))
