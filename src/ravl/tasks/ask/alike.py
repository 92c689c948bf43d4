"""How far answers are the same: what they are compared by when the texts of neighbours vote."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation.generation.words import words_of
from ravl.models.consensus import Comparable
from ravl.tasks.ask.answers import normal

# How much shared words count beside being the same answer: they settle what is nearly a tie, and
# decide where no two people answer alike, as in whole sentences.
WORDS = 0.1


class Alike(Comparable):
    """Answers to be compared: by what they mean, in place of by their phrases.

    The similarity of two is 1 where they mean the same by the rules of the metrics, and else
    ``WORDS`` times the cosine of their words.
    """

    def _read(self, text: str) -> tuple[NDArray[np.int64], Array]:
        name = normal(text)
        counts = Counter(words_of(name))
        size = float(np.sqrt(sum(n**2 for n in counts.values()))) or 1.0
        weights = {("answer", name): float(np.sqrt(1 - WORDS if counts else 1))}
        weights |= {("word", w): float(np.sqrt(WORDS)) * n / size for w, n in counts.items()}
        columns = [self.places.setdefault(key, len(self.places)) for key in weights]
        return np.array(columns, np.int64), np.array(list(weights.values()), np.float32)
