"""Several captions of one picture that do not say the same."""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import Array
from ravl.models.consensus import alike

LIKENESS = 0.5  # how much a text loses for being like one that is given already


def diverse(vectors: object, total: Array, count: int) -> list[int]:
    """Positions of the best candidates that differ (maximal marginal relevance, Carbonell 1998).

    Args:
        vectors: of the candidates, (c, V), by :class:`ravl.models.consensus.Phrases`.
        total: their scores, (c,), of any scale; the first is given in any case.
        count: how many are wanted.
    """
    if not len(total):
        return []
    spread = max(float(np.ptp(total)), 1e-9)
    worth = (total - total.min()) / spread  # 0 to 1
    similarity = alike(vectors, vectors)
    chosen = [int(worth.argmax())]
    while len(chosen) < min(count, len(total)):
        left = (1 - LIKENESS) * worth - LIKENESS * similarity[:, chosen].max(1)
        left[chosen] = -np.inf
        chosen.append(int(left.argmax()))
    return chosen
