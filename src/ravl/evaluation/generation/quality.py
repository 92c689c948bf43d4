"""How good a text is, beside what people wrote: what a generator learns from and is chosen by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation.generation.cider import DocumentFrequency, rate

WEAKEST = 0.25  # of people's own texts, by their quality: what is no better than these is not good
ALONE = 1.0  # CIDEr-D from which a text is good if the agreement of people is unknown


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


@dataclass(frozen=True, slots=True)
class QualityBar:
    """What counts as a good text.

    Args:
        least: quality from which it is one.
        words: the same in words.
    """

    least: float
    words: str

    @classmethod
    def of(cls, quality: Quality, texts: Sequence[Sequence[str]]) -> QualityBar:
        """From how people's own texts about the same pictures agree."""
        several = [its for its in texts if len(its) > 1]
        if not several:
            return cls(ALONE, f"a CIDEr-D of {ALONE:g} or more beside the picture's own text")
        own = [float(quality.of_one(its[:1], its[1:])[0]) for its in several]
        least = float(np.quantile(own, WEAKEST))
        return cls(
            least,
            f"a CIDEr-D of {least:.2f} or more: as good as all but the weakest quarter of "
            "people's own texts",
        )
