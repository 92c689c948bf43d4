"""Keys of questions about pictures, and their vote.

Questions are alike where their pictures are alike and what is asked about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array, normalise
from ravl.models.vote import Vote
from ravl.retrieval.key_projection import KeyProjection

WEIGHT = 0.7  # DAQUAR, a fifth held out: 20.2 % with 1.0, 22.2 % with 0.7, 21.7 % with 0.5
WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Without training: the best of 24 that were tried on 1,500 of DAQUAR's questions, each answered by
# those of other pictures; they hardly differ. On 2,400 drawn anew, some of them the same, accuracy
# is 22.5 %, and 20.0 % where pictures with neighbouring numbers, often of one room, are hidden too.
VOTE = Vote(k=64, temperature=0.08)


@dataclass(frozen=True, eq=False)
class AskKeys:
    """Features of an entry to unit vectors whose cosine is a weighted mean of two.

    With w the weight it is ``w cos(questions) + (1 - w) cos(pictures)``.

    Args:
        pictures: keys of the pictures alone; an entry's features are F of its picture and D of
            its question after them.
        weight: of the question, 0 to 1.
    """

    pictures: KeyProjection
    weight: float = WEIGHT

    @property
    def width(self) -> int:
        """F, of the picture's features."""
        return len(self.pictures.mean)

    def __call__(self, features: Array) -> Array:
        """Features (n, F + D) -> keys (n, d + D)."""
        return self.joined(self.pictures(features[:, : self.width]), features[:, self.width :])

    def joined(self, pictures: Array, questions: Array) -> Array:
        """Picture keys (n, d) and question vectors (n, D) -> keys (n, d + D)."""
        w = np.float32(self.weight)
        return np.hstack([np.sqrt(1 - w) * pictures, np.sqrt(w) * normalise(questions)])

    def arrays(self) -> dict[str, Array]:
        """All that it has, for a file of arrays."""
        return {**self.pictures.arrays(), "weight": np.array([self.weight], np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> AskKeys:
        """The inverse of :meth:`arrays`."""
        return cls(KeyProjection.from_arrays(arrays), float(arrays["weight"][0]))
