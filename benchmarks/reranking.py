"""A second look by a run of match: at searches, and at the neighbours of a task.

`searches`: 200 texts look among the pictures of the test part, and 200 pictures among its texts;
first by the run's dual encoder, then with its first 50 judged again with all that the memory knows,
as much as the validation part likes it (`weight`). `neighbours`: the same for classify (stamps'
categories) and tag (clip art, tags that occur ten times or more), by the vote on the test part.
Near-duplicates are in one part.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import memory_of
from benchmarks.report import Lines
from ravl.evaluation import Score
from ravl.memory import Memory
from ravl.tasks.fit import fit

SETS: dict[str, tuple[str, dict[str, Any], str]] = {
    "tuxpaint_stamps": ("classify", {"column": "category"}, "accuracy"),
    "openclipart": ("tag", {"min_examples": 10}, "mAP"),
}
HOW: dict[str, Any] = {
    "test": "part = 'test'",
    "validation": "part = 'validation'",
    "model": "linear",
    "add_to_memory": False,
    "progress": False,
}
ASKED = ("R@1", "R@10")
TINY: dict[str, object] = {}  # the painted sets are few pictures


def run() -> Lines:
    lines: Lines = []
    for name, (task, settings, measure) in SETS.items():
        with tempfile.TemporaryDirectory() as folder, memory_of(name, Path(folder)) as memory:
            _divide(memory)
            out = Path(folder) / "match"
            fit("match", memory, out=out, **HOW)
            found = json.loads((out / "metrics.json").read_text("utf-8"))["rerank"]
            for way, scores in found["scores"].items():
                lines += [_line(name, f"search, {way}", m, scores, m, found) for m in ASKED]
            report: Any = fit(
                task, memory, out=Path(folder) / task, rerank=str(out), **HOW, **settings
            )
            found = report.metrics["rerank"]
            lines.append(_line(name, f"neighbours, {task}", measure, found["vote"], measure, found))
            print(*lines, sep="\n", flush=True)
    return lines


def _divide(memory: Memory) -> None:
    """A fifth for the test and an eighth for validation, in a column of the rows."""
    rows = [row for row in memory.rows() if row.hash]
    groups = np.array([row.group for row in rows])
    drawn = np.random.default_rng(0).permutation(np.unique(groups))
    test, validation = np.split(drawn, [len(drawn) // 5, len(drawn) // 3])[:2]
    for row, group in zip(rows, groups.tolist(), strict=True):
        part = "test" if group in test else "validation" if group in validation else "train"
        memory.update(row.id, columns={"part": part})


def _line(
    name: str, what: str, title: str, scores: dict[str, Any], measure: str, found: dict[str, Any]
) -> dict[str, object]:
    values = {
        moment: Score(**scores[moment][measure]).percent()
        for moment in ("before", "after", "difference")
    }
    return {
        "set": name,
        "second look at": what,
        "measure": title,
        **values,
        "weight": found["weight"],
        "ms": round(found["milliseconds"], 1),
    }
