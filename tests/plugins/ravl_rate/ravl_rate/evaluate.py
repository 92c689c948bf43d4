"""Judging rate: the mean absolute error of each row of the report, and of ``ravl evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import Score
from ravl.training.example_source import judged
from ravl.training.examples import none_labelled, read_labelled
from ravl.training.run_record import tables_json

from .metrics import Numbers, compare, measure

PAIRS = (
    ("with_retrieval", "no_retrieval"),
    ("with_retrieval", "vote"),
    ("no_retrieval", "zero_shot"),
)


@dataclass(frozen=True, eq=False)
class TestResults:
    """Numbers for the test pictures by every row, and their scores.

    Args:
        answers: by name of the row, (n,).
        scores: by name of the row, then by metric.
        differences: by names of two rows, the first minus the second.
    """

    answers: Mapping[str, Array]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    differences: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)


def evaluate_test(
    rows: Mapping[str, Array], true: Array, groups: NDArray[np.int64], seed: int
) -> TestResults:
    """Scores of all rows, each in the same way."""
    found = {name: Numbers(given, true) for name, given in rows.items()}
    scores = {name: measure(numbers, groups, seed) for name, numbers in found.items()}
    differences = {
        (after, before): compare(found[after], found[before], groups, seed)
        for after, before in PAIRS
        if after in found and before in found
    }
    return TestResults(rows, scores, differences)


def evaluate_rates(
    model: Any,
    data: str | Path,
    *,
    columns: Any = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a run on pictures with numbers; see :func:`ravl.tasks.fit.evaluate`."""
    pipeline = model.predictor
    with judged(model.memory, data, columns, progress, root) as (source, where):
        examples = read_labelled(source, model.memory, pipeline.targets.of, where)
        if not len(examples):
            raise none_labelled(source, pipeline.targets.noun, pipeline.targets.column)
        ways: dict[str, dict[str, Any]] = {"with_retrieval": {}, "vote": {"vote_only": True}}
        if pipeline.rater.weight is not None:
            ways["no_retrieval"] = {"retrieval": False}
        rows = {
            name: pipeline.numbers(examples.features, examples.shown, **how)
            for name, how in ways.items()
        }
        true = pipeline.targets.numbers(examples.rows)
        results = evaluate_test(rows, true, examples.groups, seed)
    return {
        "task": "rate",
        "pictures": len(examples),
        "set_aside": len(examples.rejected),
        "reasons": [str(r) for r in examples.rejected[:10]],
        "rows": tables_json(results.scores),
        "differences": tables_json(
            {f"{after} - {before}": s for (after, before), s in results.differences.items()}
        ),
    }
