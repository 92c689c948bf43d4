"""The vision tower unfrozen from the top, against the frozen one: accuracy and time.

`clothing_small` (its validation split judges), and dials that differ in a hand's direction and a
small mark (twelve kinds, drawn by benchmarks/fine_grained.py). Both rows of a set are one run
each with a linear head, with and without the memory.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.fine_grained import draw
from benchmarks.labelled import fit_and_judge, memory_of
from benchmarks.report import Lines
from ravl.data import Example
from ravl.memory import Memory
from ravl.tasks.labels.dataset import prepare
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.splits import split

PER_CLASS = 100  # dials
CLOTHES = FitSettings(tune_vision="top:5")
DIALS = FitSettings(tune_vision="top:7", vision_epochs=8, horizontal_flip=False)
TINY = {
    "PER_CLASS": 5,
    "CLOTHES": replace(CLOTHES, vision_epochs=1),
    "DIALS": replace(DIALS, vision_epochs=1),
}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with memory_of("clothing_small", work) as memory:
            test = 'split = "validation"'
            lines = compare(memory, "clothing_small", work, test, CLOTHES)
        pictures = work / "dials"
        pictures.mkdir()
        labels = draw(pictures, PER_CLASS, 0)
        files = sorted(pictures.glob("*.jpg"))
        examples = [Example(f.name, f, label=n) for f, n in zip(files, labels, strict=True)]
        with Memory.create(work / "dials.ravl") as memory:
            memory.add(examples)
            return [*lines, *compare(memory, "dials", work, None, DIALS)]


def compare(memory: Memory, name: str, work: Path, test: str | None, tuned: FitSettings) -> Lines:
    task = LabelTargets("classify")
    examples = read_labelled(memory, memory, task.of)
    classes = [row.label or "" for row in examples.rows]
    parts = split(
        examples.rows,
        examples.groups,
        classes,
        memory,
        validation=None,
        test=test,
        validation_share=0.15,
        test_share=0.2,
        seed=0,
    )
    lines: Lines = []
    for settings in (replace(tuned, tune_vision="head"), tuned):
        data = prepare(memory, task, replace(settings, model="linear"), examples, parts)
        judged, fitted = fit_and_judge(data, work / f"{name}-{settings.tune_vision}")
        for row in ("no_retrieval", "with_retrieval"):
            lines.append(
                {
                    "set": name,
                    "tower": settings.tune_vision,
                    "row": row,
                    "accuracy": judged.scores[row]["accuracy"].percent(),
                    "macro F1": judged.scores[row]["macro_f1"].percent(),
                    "seconds": round(sum(fitted.seconds.values())),
                }
            )
            print(lines[-1], flush=True)
    return lines
