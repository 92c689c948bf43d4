"""What two models answer to the same examples, in a form that is the same for all tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import OutputKind, Score, compare, measure
from ravl.memory import Row
from ravl.retrieval.datastore import Ints

CHAMPION, CHALLENGER = "champion", "challenger"

Measure = Callable[[str, Ints], dict[str, Score]]
Compare = Callable[[Ints], dict[str, Score]]


@dataclass(frozen=True, eq=False)
class PairedResults:
    """Both models' answers to n examples: pictures, questions about them, or pairs with texts.

    Args:
        unit: what examples are called, in the plural.
        rows: the picture of each.
        groups: equal for near-duplicates, (n,).
        asked: the question or text of each; None where there is none.
        truth: what is right of each, in words.
        answers: of each, in words, and its confidence, by ``champion`` and ``challenger``.
        worth: how good each answer is, (n,): 1 for right and 0 for wrong, or the text's quality.
        measure: the metrics of one of them for some examples.
        compare: the challenger's less the champion's for some examples, paired.
        quality: what ``worth`` is where answers are not just right or wrong, such as CIDEr-D.
    """

    unit: str
    rows: Sequence[Row]
    groups: Ints
    asked: Sequence[str | None]
    truth: Sequence[str]
    answers: Mapping[str, Sequence[tuple[str, float]]]
    worth: Mapping[str, NDArray[np.floating]]
    measure: Measure
    compare: Compare
    quality: str | None = None


@dataclass(frozen=True, eq=False)
class ExampleResult:
    """What one of the two answers, as probabilities.

    Args:
        probabilities: as :func:`ravl.evaluation.measure` takes them.
        limits: from which a tag, or a match, is given; None for labels.
    """

    probabilities: Array
    limits: Any


def judges(
    kind: OutputKind, results: Mapping[str, ExampleResult], truth: Ints, groups: Ints, seed: int
) -> tuple[Measure, Compare]:
    """What measures and compares probabilities, see :class:`PairedResults`.

    Args:
        kind: of the outputs, whose metrics are computed.
        results: by ``champion`` and ``challenger``, of n examples.
        truth: see :func:`ravl.evaluation.measure`.
        groups: equal for near-duplicates, (n,).
        seed: of the intervals.
    """
    new, old = results[CHALLENGER], results[CHAMPION]

    def how(chosen: Ints) -> dict[str, Any]:
        return {"groups": groups[chosen], "seed": seed}

    def measured(who: str, chosen: Ints) -> dict[str, Score]:
        one = results[who]
        return measure(
            kind, one.probabilities[chosen], truth[chosen], thresholds=one.limits, **how(chosen)
        )

    def compared(chosen: Ints) -> dict[str, Score]:
        return compare(
            kind,
            new.probabilities[chosen],
            old.probabilities[chosen],
            truth[chosen],
            thresholds_after=new.limits,
            thresholds_before=old.limits,
            **how(chosen),
        )

    return measured, compared
