"""Metrics of generated captions and answers, compared with texts of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from ravl.errors import DataError
from ravl.evaluation.generation.cider import DocumentFrequency
from ravl.evaluation.generation.outputs import TextOutputs
from ravl.evaluation.metrics import Metric, builtin_metrics, defined, metrics_of
from ravl.evaluation.scores import Groups, Score, bootstrap_of, difference_of

__all__ = [
    "ANSWERS",
    "CAPTIONS",
    "PRIMARY",
    "DocumentFrequency",
    "TextKind",
    "TextOutputs",
    "compare_texts",
    "measure_text",
    "text_values",
]

TextKind = Literal["captions", "answers"]
CAPTIONS: Final = "captions"
ANSWERS: Final = "answers"
PRIMARY: dict[str, str] = {CAPTIONS: "CIDEr-D", ANSWERS: "accuracy"}


def measure_text(
    kind: TextKind,
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    groups: Groups | None = None,
    seed: int = 0,
    frequency: DocumentFrequency | None = None,
) -> dict[str, Score]:
    """The metrics of texts, with their 95 % bootstrap intervals.

    - captions: ``CIDEr-D``, ``BLEU-4`` to ``BLEU-1`` and ``ROUGE-L`` from 0 to 1, ``distinct-1``
      and ``distinct-2``.
    - answers: ``accuracy`` (exact match of sets of answers), ``F1`` of words, ``VQA`` soft
      accuracy if any question has answers of three people or more, ``WUPS@0.9`` and ``WUPS@0.0``
      if WordNet is installed.

    Metrics that installed packages add for this kind come last, see ``docs/how-to/plugins.md``.

    Args:
        kind: of the texts, "captions" or "answers".
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
    outputs = _checked(written, references, frequency)
    return {
        name: bootstrap_of(of, len(written), groups, seed=seed, within=metric.bounds)
        for name, (metric, of) in defined(metrics_of(kind), outputs).items()
    }


def compare_texts(
    kind: TextKind,
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
    metrics: dict[str, Metric[TextOutputs]] = metrics_of(kind)
    new = defined(metrics, _checked(after, references, frequency))
    old = defined(metrics, _checked(before, references, frequency))
    return {
        name: difference_of(new[name][1], old[name][1], len(after), groups, seed=seed)
        for name in new
        if name in old
    }


def text_values(
    kind: TextKind,
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    frequency: DocumentFrequency | None = None,
) -> dict[str, float]:
    """ravl's own metrics of :func:`measure_text` without their intervals."""
    once = np.ones(len(written))
    outputs = _checked(written, references, frequency)
    return {name: of(once) for name, (_, of) in defined(builtin_metrics(kind), outputs).items()}


def _checked(
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    frequency: DocumentFrequency | None,
) -> TextOutputs:
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
    return TextOutputs(written, references, frequency)
