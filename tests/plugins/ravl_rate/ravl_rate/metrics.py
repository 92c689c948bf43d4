"""The mean absolute error, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation import Metric, Score, bootstrap_of, difference_of, mean_of, metrics_of

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers that were given, and the true ones, (n,) each."""

    given: Floats
    true: Floats


MAE: Metric[Numbers] = Metric(
    lambda outputs: mean_of(np.abs(outputs.given - outputs.true)),
    higher_is_better=False,
    percent=False,
    bounds=(0.0, float("inf")),
)


def measure(outputs: Numbers, groups: NDArray[np.int64], seed: int) -> dict[str, Score]:
    """All metrics of the kind ``numbers``, with 95 % intervals; groups are drawn together."""
    metrics: Mapping[str, Metric[Numbers]] = metrics_of("numbers")
    return {
        name: bootstrap_of(of, len(groups), groups, seed=seed, within=metric.bounds)
        for name, metric in metrics.items()
        if (of := metric.of(outputs)) is not None
    }


def compare(
    after: Numbers, before: Numbers, groups: NDArray[np.int64], seed: int
) -> dict[str, Score]:
    """The metrics of ``after`` minus those of ``before``, for the same pictures."""
    metrics: Mapping[str, Metric[Numbers]] = metrics_of("numbers")
    found = {}
    for name, metric in metrics.items():
        new, old = metric.of(after), metric.of(before)
        if new is not None and old is not None:
            found[name] = difference_of(new, old, len(groups), groups, seed=seed)
    return found
