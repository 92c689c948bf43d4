"""What a model wrote about examples and what people wrote, and the metrics of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation import answers, cider, wordnet
from ravl.evaluation.generation.cider import DocumentFrequency
from ravl.evaluation.generation.overlap import bleu, distinct, rouge
from ravl.evaluation.metrics import Metric, mean_of
from ravl.evaluation.scores import OfWeights


@dataclass(frozen=True, eq=False)
class TextOutputs:
    """Texts and references that fit each other.

    Args:
        written: n texts.
        references: people's, of each at least one.
        frequency: of phrases, for CIDEr-D; None counts them in the references.
    """

    written: Sequence[str]
    references: Sequence[Sequence[str]]
    frequency: DocumentFrequency | None = None

    @cached_property
    def bleu(self) -> dict[str, OfWeights]:
        """BLEU-1 to BLEU-4, which are counted together."""
        return bleu(self.written, self.references)

    @cached_property
    def distinct(self) -> dict[str, OfWeights]:
        """distinct-1 and distinct-2, which are counted together."""
        return distinct(self.written)


PerText = Callable[[Sequence[str], Sequence[Sequence[str]]], NDArray[np.float64]]


def _mean(rate: PerText) -> Callable[[TextOutputs], OfWeights]:
    return lambda outputs: mean_of(rate(outputs.written, outputs.references))


def _bleu(name: str) -> Callable[[TextOutputs], OfWeights]:
    return lambda outputs: outputs.bleu[name]


def _distinct(name: str) -> Callable[[TextOutputs], OfWeights]:
    return lambda outputs: outputs.distinct[name]


def _cider(outputs: TextOutputs) -> OfWeights:
    return mean_of(cider.scores(outputs.written, outputs.references, outputs.frequency))


def _agreed(outputs: TextOutputs) -> OfWeights | None:
    """Defined where three people or more have answered any question."""
    if not any(len(people) >= answers.PEOPLE for people in outputs.references):
        return None
    return mean_of(answers.agreed(outputs.written, outputs.references))


def _wups(threshold: float) -> Callable[[TextOutputs], OfWeights | None]:
    def of(outputs: TextOutputs) -> OfWeights | None:
        if not wordnet.available():
            return None
        return mean_of(answers.wups(outputs.written, outputs.references, threshold))

    return of


CIDER_D = Metric(_cider, percent=False, bounds=(0.0, 10.0))
BLEU_4 = Metric(_bleu("BLEU-4"))
BLEU_3 = Metric(_bleu("BLEU-3"))
BLEU_2 = Metric(_bleu("BLEU-2"))
BLEU_1 = Metric(_bleu("BLEU-1"))
ROUGE_L = Metric(_mean(rouge))
DISTINCT_1 = Metric(_distinct("distinct-1"))
DISTINCT_2 = Metric(_distinct("distinct-2"))
EXACT = Metric(_mean(answers.exact))
F1 = Metric(_mean(answers.overlap))
VQA = Metric(_agreed)
WUPS_09 = Metric(_wups(0.9))
WUPS_00 = Metric(_wups(0.0))
