"""How good a text is, beside what people wrote: what a generator learns from and is chosen by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation.generation.cider import DocumentFrequency, rate


@dataclass(frozen=True, eq=False)
class Quality:
    """How texts are rated.

    Args:
        measure: what that is called.
        rate: several texts (c,), and what people wrote, to a number for each.
    """

    measure: str
    rate: Callable[[Sequence[str], Sequence[str]], Any]

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> Quality:
        """CIDEr-D (Vedantam et al. 2015) with the phrases of each training picture's texts."""
        return cls("CIDEr-D", partial(rate, frequency=DocumentFrequency.of(texts)))

    def __call__(self, written: Sequence[str], references: Sequence[Sequence[str]]) -> Array:
        """Of one text about each picture, (n,)."""
        rated = [self.of_one([w], r)[0] for w, r in zip(written, references, strict=True)]
        return np.array(rated, np.float32)

    def of_one(self, written: Sequence[str], references: Sequence[str]) -> Array:
        """Of several texts about one picture, (c,)."""
        return np.asarray(self.rate(written, references), np.float32)
