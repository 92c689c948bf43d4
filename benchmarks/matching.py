"""Matching: does this caption fit this photograph? Flickr8k, its dev split judges.

Half of 4,000 pairs are shuffled within the split. One fit with the dual encoder (`linear`), alone
and with the memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.labelled import memory_of
from benchmarks.report import Lines
from ravl.evaluation import Score
from ravl.tasks.fit import fit

MEASURES = ("AUC", "accuracy", "ECE")
HOW: dict[str, Any] = {}  # other settings
TINY = {"HOW": {"epochs": 1}}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder, memory_of("flickr8k", Path(folder)) as memory:
        report: Any = fit(
            "match",
            memory,
            out=Path(folder) / "run",
            model="linear",
            progress=False,
            test='split = "dev"',
            command="benchmark",
            **HOW,
        )
    lines: Lines = []
    for name, scores in report.metrics["rows"].items():
        lines.append({"row": name, **{m: Score(**scores[m]).percent() for m in MEASURES}})
    gain = report.metrics["differences"]["with_retrieval - no_retrieval"]
    lines.append(
        {"row": "with - no retrieval", **{m: Score(**gain[m]).percent() for m in MEASURES}}
    )
    return [*lines, {"seconds": report.metrics["fit_seconds"]}]
