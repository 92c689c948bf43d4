"""Metrics of generated captions and answers, compared with texts of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError
from ravl.evaluation.generation import answers, cider, wordnet
from ravl.evaluation.generation.cider import DocumentFrequency
from ravl.evaluation.generation.overlap import bleu, distinct, rouge
from ravl.evaluation.scores import (
    Groups,
    OfWeights,
    Score,
    Weights,
    bootstrap_of,
    difference_of,
)

__all__ = ["PRIMARY", "DocumentFrequency", "compare_texts", "measure_text", "text_values"]

CaptionTargets = Literal["caption", "ask"]
PRIMARY: dict[str, str] = {"caption": "CIDEr-D", "ask": "accuracy"}
THRESHOLDS = (0.9, 0.0)  # of WUPS


def measure_text(
    task: CaptionTargets,
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    groups: Groups | None = None,
    seed: int = 0,
    frequency: DocumentFrequency | None = None,
) -> dict[str, Score]:
    """The metrics of texts, with their 95 % bootstrap intervals.

    - caption: ``CIDEr-D``, ``BLEU-4`` to ``BLEU-1`` and
      ``ROUGE-L`` from 0 to 1, ``distinct-1`` and ``distinct-2``.
    - ask: ``accuracy`` (exact match of sets of answers), ``F1`` of words, ``VQA`` soft accuracy if
      any question has answers of three people or more, ``WUPS@0.9`` and ``WUPS@0.0`` if WordNet is
      installed.

    Args:
        task: "caption" or "ask".
        written: n texts.
        references: texts of people, at least one for each.
        groups: the group of each example, (n,), for example its picture.
        seed: of the bootstrap.
        frequency: document frequency of phrases, for CIDEr-D; None counts them in the references.
            All samples of the bootstrap use the same.

    Raises:
        DataError: no examples, different numbers of texts and references, or no reference for an
            example.
    """
    metrics = _metrics(task, written, references, frequency)
    return {
        name: bootstrap_of(metric, len(written), groups, seed=seed, within=_range(name))
        for name, metric in metrics.items()
    }


def compare_texts(
    task: CaptionTargets,
    after: Sequence[str],
    before: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    groups: Groups | None = None,
    seed: int = 0,
    frequency: DocumentFrequency | None = None,
) -> dict[str, Score]:
    """After minus before of each metric in :func:`measure_text`, for the same examples, paired.

    Raises:
        DataError: as there.
    """
    new = _metrics(task, after, references, frequency)
    old = _metrics(task, before, references, frequency)
    return {
        name: difference_of(new[name], old[name], len(after), groups, seed=seed) for name in new
    }


def text_values(
    task: CaptionTargets,
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    frequency: DocumentFrequency | None = None,
) -> dict[str, float]:
    """The metrics of :func:`measure_text` without their intervals."""
    once = np.ones(len(written))
    metrics = _metrics(task, written, references, frequency)
    return {name: metric(once) for name, metric in metrics.items()}


def _metrics(
    task: CaptionTargets,
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    frequency: DocumentFrequency | None,
) -> dict[str, OfWeights]:
    """Each metric as a function of the weight of each example."""
    _check(written, references)
    if task == "caption":
        found: dict[str, OfWeights] = {
            "CIDEr-D": _mean(cider.scores(written, references, frequency))
        }
        orders = bleu(written, references)
        found |= {name: orders[name] for name in sorted(orders, reverse=True)}
        return found | {"ROUGE-L": _mean(rouge(written, references))} | distinct(written)
    found = {
        "accuracy": _mean(answers.exact(written, references)),
        "F1": _mean(answers.overlap(written, references)),
    }
    if any(len(people) >= answers.PEOPLE for people in references):
        found["VQA"] = _mean(answers.agreed(written, references))
    if wordnet.available():
        for threshold in THRESHOLDS:
            found[f"WUPS@{threshold}"] = _mean(answers.wups(written, references, threshold))
    return found


def _check(written: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not len(written):
        raise DataError("There is no text to measure.")
    if len(written) != len(references):
        raise DataError(
            f"There are {len(written):,} texts and references for {len(references):,}; the "
            "numbers must be equal."
        )
    silent = next((i for i, people in enumerate(references) if not people), None)
    if silent is not None:
        raise DataError(f"The example number {silent + 1} has no reference to compare with.")


def _mean(of_examples: NDArray[Any]) -> OfWeights:
    def mean(weights: Weights) -> float:
        return float(weights @ of_examples / weights.sum())

    return mean


def _range(name: str) -> tuple[float, float]:
    return (0.0, 10.0 if name == "CIDEr-D" else 1.0)
