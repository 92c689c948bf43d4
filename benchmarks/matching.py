"""Matching: does this caption fit this photograph? Flickr8k, its dev split judges.

Half of 4,000 pairs are shuffled within the split. One fit with the dual encoder (`linear`), and one
with the fusion model on top, for one epoch of 2,048 pictures.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.labelled import memory_of
from benchmarks.report import Lines
from ravl.evaluation import Score
from ravl.training import fit

MEASURES = ("AUC", "accuracy", "ECE")
NAMES = {"rows": ("zero_shot", "vote", "no_retrieval", "with_retrieval"),
         "levels": ("fusion_off alone", "fusion alone", "fusion")}  # fmt: skip


def run() -> Lines:
    lines: Lines = []
    with tempfile.TemporaryDirectory() as folder, memory_of("flickr8k", Path(folder)) as memory:
        for model in ("linear", "fusion"):
            report: Any = fit(
                "match", memory, out=Path(folder) / model, model=model, epochs=1, progress=False,
                test='split = "dev"', command="benchmark",
            )  # fmt: skip
            seconds = {n: round(s) for n, s in report.metrics["fit_seconds"].items()}
            for table, names in NAMES.items():
                for name in names:
                    scores = report.metrics[table].get(name)
                    if scores:
                        lines.append(
                            {
                                "fit": f"{model}, {report.seconds:.0f} s",
                                "row": name,
                                **{m: Score(**scores[m]).percent() for m in MEASURES},
                            }
                        )
            gain = report.metrics["differences"]["with_retrieval - no_retrieval"]
            lines.append({"fit": f"{model} ({seconds})", "row": "with - no retrieval",
                          **{m: Score(**gain[m]).percent() for m in MEASURES}})  # fmt: skip
            print(lines[-6:], flush=True)
    return lines
