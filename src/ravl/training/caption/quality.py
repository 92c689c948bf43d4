"""How good a text is, beside what people wrote: what a generator learns from and is chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation.generation.cider import DocumentFrequency, rate


@dataclass(frozen=True, eq=False)
class Quality:
    """CIDEr-D (Vedantam et al. 2015) with the phrases of the training texts.

    Args:
        frequency: how often training pictures have each phrase.
    """

    frequency: DocumentFrequency

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> Quality:
        """From the texts of each training picture."""
        return cls(DocumentFrequency.of(texts))

    def __call__(self, written: Sequence[str], references: Sequence[Sequence[str]]) -> Array:
        """Of one text about each picture, (n,)."""
        rated = [self.of_one([w], r)[0] for w, r in zip(written, references, strict=True)]
        return np.array(rated, np.float32)

    def of_one(self, written: Sequence[str], references: Sequence[str]) -> Array:
        """Of several texts about one picture, (c,)."""
        return np.asarray(rate(written, references, self.frequency), np.float32)
