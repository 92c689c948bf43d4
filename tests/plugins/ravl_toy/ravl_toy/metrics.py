"""A metric of labels, and one of captions."""

from __future__ import annotations

import numpy as np

from ravl.evaluation import Metric, Outputs, mean_of
from ravl.evaluation.generation import TextOutputs
from ravl.evaluation.scores import OfWeights


def _top_2(outputs: Outputs) -> OfWeights:
    """Whether the true label is among the two most probable ones."""
    best = np.argsort(-outputs.probabilities, axis=1)[:, :2]
    return mean_of((best == outputs.targets[:, None]).any(axis=1).astype(np.float64))


def _words(outputs: TextOutputs) -> OfWeights:
    return mean_of(np.array([len(text.split()) for text in outputs.written], np.float64))


TOP_2 = Metric(_top_2)
WORDS = Metric(_words, higher_is_better=False, percent=False, bounds=(0.0, np.inf))
