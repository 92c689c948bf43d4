"""What the retriever learns from: pictures and texts as the networks take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ravl.encoders.base import Array
from ravl.encoders.towers.text import TextTower
from ravl.encoders.towers.vision import Maps, VisionTower
from ravl.encoders.words import WordVectors
from ravl.models.batch import Batch
from ravl.training.dual_encoder.pairs import Ints, Pairs

SEEN = 64  # pictures or texts at once without gradients


@dataclass(frozen=True, eq=False)
class Teacher:
    """A stronger encoder's vectors of the same pictures and texts.

    Args:
        pictures: (n, T).
        texts: (m, T).
        sharpness: inverse temperature at which it explains the training pairs best.
    """

    pictures: Array
    texts: Array
    sharpness: float


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """Pairs, with all that is computed of them once.

    Args:
        pairs: n pictures with their features and m texts.
        texts: base vectors of the texts, with their wide features and word vectors behind, (m, D).
        variants: of the texts with words left out, (m, v, D); None where there are none.
        vision: the tower that is tuned, None for a frozen one.
        maps: what its stem made of the views of the pictures, (n, views, ...).
        text: the text tower that is tuned, None for a frozen one.
        reworded: texts (m, v) behind ``variants``, for the tuned text tower.
        teacher: None to learn from the pairs alone.
        words: that made the word vectors; None where there are none.
        wide: pictures and texts have the encoder's wide features.
    """

    pairs: Pairs
    texts: Array
    variants: Array | None = None
    vision: VisionTower | None = None
    maps: Maps | None = None
    text: TextTower | None = None
    reworded: list[tuple[str, ...]] | None = None
    teacher: Teacher | None = None
    words: WordVectors | None = None
    wide: bool = False

    def pictures(
        self, chosen: Ints, random: np.random.Generator | None = None
    ) -> dict[str, Tensor]:
        """Pictures (u) as :meth:`RetrieverModel.see` takes them; in a random view, or the plain."""
        inputs = {"features": torch.from_numpy(self.pairs.seen(chosen, beside=True))}
        if self.maps is not None:
            count = self.maps.shape[1]
            views = np.zeros(len(chosen), np.int64)
            if random is not None:
                views = random.integers(0, count, len(chosen))
            lines = [self.maps[i, v] for i, v in zip(chosen, views, strict=True)]
            inputs["maps"] = torch.from_numpy(np.stack(lines))
        return inputs

    def read(self, which: Ints, random: np.random.Generator | None = None) -> Batch:
        """Texts (b) as :meth:`RetrieverModel.read` takes them; reworded by chance, or as is."""
        vectors = self.texts[which]
        number = np.full(len(which), -1)
        if self.variants is not None and random is not None:
            number = random.integers(-1, self.variants.shape[1], len(which))
            vectors = np.where(
                number[:, None] < 0, vectors, self.variants[which, np.maximum(number, 0)]
            )
        inputs: Batch = {"texts": torch.from_numpy(vectors)}
        if self.text is not None:
            words = [
                self.pairs.texts[i] if v < 0 or self.reworded is None else self.reworded[i][v]
                for i, v in zip(which.tolist(), number.tolist(), strict=True)
            ]
            inputs["tokens"] = self.text.network.tokens(words)
        return inputs

    def taught(self, owners: Ints, which: Ints) -> dict[str, Tensor]:
        """The teacher's vectors of pairs, (b, T) each; nothing without a teacher."""
        if self.teacher is None:
            return {}
        vectors = self.teacher.pictures[owners], self.teacher.texts[which]
        return dict(zip(("seen", "read"), map(torch.from_numpy, vectors), strict=True))
