"""An n-gram model of a few sentences: which words may follow, and how usual that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log

BEGIN, END = "<s>", "</s>"  # no word of a text has a bracket, see ravl.evaluation.generation.words
Words = tuple[str, ...]


class NgramModel:
    """Counts of n-grams with back-off to shorter ones (Brants et al. 2007, "stupid backoff").

    Args:
        sentences: words of each.
        order: words of the longest n-gram.
        context: words that a word must follow in some sentence, so that it may follow them.
    """

    BACKOFF = log(0.4)  # for each word of the context that must be left out

    def __init__(self, sentences: Iterable[Sequence[str]], order: int, context: int) -> None:
        self.order, self.context = order, context
        self._counts: Counter[Words] = Counter()
        self._next: dict[Words, dict[str, None]] = {}
        self._known: dict[Words, float] = {}
        whole = [(BEGIN, *sentence, END) for sentence in sentences]
        self._total = sum(len(words) - 1 for words in whole)
        for words in whole:
            for n in range(1, order + 1):
                self._counts.update([words[i : i + n] for i in range(len(words) - n + 1)])
            for i in range(1, len(words)):
                before = words[max(i - context, 0) : i]
                self._next.setdefault(before, {})[words[i]] = None

    def following(self, words: Words) -> Iterator[str]:
        """Words, or ``END``, that some sentence has after the last ``context`` of these words."""
        return iter(self._next.get((BEGIN, *words)[-self.context :], ()))

    def log_probability(self, words: Words, word: str) -> float:
        """How usual a word, or ``END``, is after these words; a natural logarithm."""
        gram = (*(BEGIN, *words)[-(self.order - 1) :], word)
        found = self._known.get(gram)
        if found is None:
            found = self._known[gram] = self._log_probability(gram)
        return found

    def _log_probability(self, gram: Words) -> float:
        for left_out in range(len(gram) - 1):
            shorter = gram[left_out:]
            if count := self._counts.get(shorter, 0):
                return log(count / self._counts[shorter[:-1]]) + left_out * self.BACKOFF
        alone = max(self._counts.get(gram[-1:], 0), 0.5) / max(self._total, 1)
        return log(alone) + (len(gram) - 1) * self.BACKOFF
