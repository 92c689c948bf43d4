"""Keys of questions about pictures, and their vote.

Questions are alike where their pictures are alike and what is asked about them: by their sentence
vectors and by their words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array, normalise
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.ask.kernel import Blocks, ridge_weights

WEIGHT = 0.7  # DAQUAR, a fifth held out: 20.2 % with 1.0, 22.2 % with 0.7, 21.7 % with 0.5
WORDS = 0.3  # share of the words in the weight of a question; without them the vote is 1.3 less
WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Without training: the best of 24 that were tried on 1,500 of DAQUAR's questions, each answered by
# those of other pictures; they hardly differ. On 2,400 drawn anew, some of them the same, accuracy
# is 22.5 %, and 20.0 % where pictures with neighbouring numbers, often of one room, are hidden too.
VOTE = Vote(k=64, temperature=0.08, ridge=0.5)


@dataclass(frozen=True, eq=False)
class AskKeys:
    """Features of an entry to unit vectors whose cosine is a weighted mean of two.

    With w the weight it is ``w cos(questions) + (1 - w) cos(pictures)``. Where words are compared,
    too, the cosine of the questions is itself a weighted mean of those of their sentence vectors
    and of their words.

    Args:
        pictures: keys of the pictures alone; an entry's features are F of its picture and D of
            its question after them, D of the sentence vector and the words' columns last.
        weight: of the question, 0 to 1.
        words: columns of words, 0 for none.
    """

    pictures: KeyProjection
    weight: float = WEIGHT
    words: int = 0

    @property
    def width(self) -> int:
        """F, of the picture's features."""
        return len(self.pictures.mean)

    def __call__(self, features: Array) -> Array:
        """Features (n, F + D + words) -> keys (n, d + D + words)."""
        return self.joined(self.pictures(features[:, : self.width]), features[:, self.width :])

    def joined(self, pictures: Array, questions: Array) -> Array:
        """Picture keys (n, d), questions (n, D + words) -> keys (n, d + D + words)."""
        by_picture, by_sentence, by_words = self._scales
        sentences, words = self._split(questions)
        parts = [by_picture * pictures, by_sentence * normalise(sentences)]
        return np.hstack([*parts, by_words * normalise(words)] if self.words else parts)

    def weights(
        self, keys: Array, positions: Ints, keys_at: Callable[[Ints], Array]
    ) -> Array | None:
        """The weights of neighbours (n, k), see :func:`ravl.tasks.ask.kernel.ridge_weights`.

        None where words are not compared: the run is of a ravl that had similarity alone.
        """
        return ridge_weights(keys, positions, keys_at, self._parts) if self.words else None

    @property
    def _scales(self) -> Array:
        """Lengths of the keys' parts: of pictures, of sentence vectors, and of words."""
        share = WORDS if self.words else 0.0
        parts = 1 - self.weight, self.weight * (1 - share), self.weight * share
        return np.sqrt(np.array(parts, np.float32))

    def _split(self, questions: Array) -> tuple[Array, Array]:
        """Sentence vectors and words out of what holds both."""
        width = questions.shape[-1] - self.words
        return questions[..., :width], questions[..., width:]

    def _parts(self, keys: Array) -> Blocks:
        """Keys (..., d + D + words) as unit vectors of each part; zeros for what has no weight."""
        width = self.pictures.directions.shape[1]
        parts = keys[..., :width], *self._split(keys[..., width:])
        pictures, sentences, words = (
            part / max(scale, np.float32(1e-6))
            for part, scale in zip(parts, self._scales, strict=True)
        )
        return pictures, sentences, words

    def arrays(self) -> dict[str, Array]:
        """All that it has, for a file of arrays."""
        numbers = np.array([self.weight, self.words], np.float32)
        return {**self.pictures.arrays(), "weight": numbers}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> AskKeys:
        """The inverse of :meth:`arrays`."""
        weight, *words = (float(x) for x in arrays["weight"])  # a run of before has no words
        return cls(KeyProjection.from_arrays(arrays), weight, int(words[0]) if words else 0)
