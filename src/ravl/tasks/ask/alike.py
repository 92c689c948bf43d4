"""How far answers are the same: what they are compared by when the texts of neighbours vote."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation.generation.words import words_of
from ravl.tasks.ask.answers import normal

# How much shared words count beside being the same answer: they settle what is nearly a tie, and
# decide where no two people answer alike, as in whole sentences.
WORDS = 0.1
KNOWN = 200_000  # answers that are remembered


@dataclass(frozen=True, eq=False)
class Alike:
    """Answers as sparse vectors; the dot product of two is their likeness, 0 to 1.

    It is 1 for two that mean the same by the rules of the metrics, and else ``WORDS`` times the
    cosine of their words. Takes the place of :class:`ravl.models.consensus.Phrases`.

    Args:
        places: column of each name and of each word; new ones are added as they are met.
    """

    places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _known: dict[str, tuple[NDArray[np.int64], Array]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def __call__(self, texts: Iterable[str]) -> Any:
        """Answers as rows (t, V)."""
        from scipy.sparse import csr_matrix

        found = [self._row(text) for text in texts]
        starts = np.cumsum([0, *(len(columns) for columns, _ in found)])
        columns = np.concatenate([np.zeros(0, np.int64), *(c for c, _ in found)])
        values = np.concatenate([np.zeros(0, np.float32), *(v for _, v in found)])
        return csr_matrix((values, columns, starts), shape=(len(found), len(self.places)))

    def _row(self, text: str) -> tuple[NDArray[np.int64], Array]:
        """Columns and values of an answer; known ones are not read again."""
        found = self._known.get(text)
        if found is None:
            with self._lock:  # two names must not get the same column
                if len(self._known) >= KNOWN:
                    self._known.clear()
                found = self._known[text] = self._read(text)
        return found

    def _read(self, text: str) -> tuple[NDArray[np.int64], Array]:
        name = normal(text)
        counts = Counter(words_of(name))
        size = float(np.sqrt(sum(n**2 for n in counts.values()))) or 1.0
        weights = {("answer", name): float(np.sqrt(1 - WORDS if counts else 1))}
        weights |= {("word", w): float(np.sqrt(WORDS)) * n / size for w, n in counts.items()}
        columns = [self.places.setdefault(key, len(self.places)) for key in weights]
        return np.array(columns, np.int64), np.array(list(weights.values()), np.float32)
