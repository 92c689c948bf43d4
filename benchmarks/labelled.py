"""Classification and tagging: the four rows on real pictures, with many labels and with few.

`clothing_small`: its validation split judges; training on all, and on 16 and 4 pictures a class
(five seeds; the memory holds just the training pictures). `openclipart`: tags that occur ten times
or more, a fifth of the pictures judges.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Lines, picture_set
from ravl.memory import Memory
from ravl.tasks.labels.choose import Fitted, fit_levels
from ravl.tasks.labels.dataset import FitData, prepare
from ravl.tasks.labels.evaluate_test import TestResults, judge
from ravl.tasks.labels.fit_on_all import fit_on_all
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import Examples, read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.report_rows import ROWS
from ravl.training.splits import Splits, split

MEASURES = {
    "classify": ("accuracy", "macro_f1", "ECE", "coverage@5%risk"),
    "tag": ("mAP", "micro_f1", "ECE"),
}
SEEDS = 5
FUSION = FitSettings(model="fusion", epochs=4)
FEWEST = 10  # pictures that a tag must have
TINY = {"SEEDS": 1, "FUSION": replace(FUSION, epochs=1), "FEWEST": 2}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        return [*_clothes(work), *_clip_art(work)]


def memory_of(name: str, folder: Path) -> Memory:
    """A memory of a shared picture set."""
    memory = Memory.create(folder / f"{name}.ravl")
    memory.index(picture_set(name)[0] / "annotations.jsonl")
    return memory


def few(examples: Examples, splits: Splits, per: int, seed: int) -> Splits:
    """Parts with so many training pictures a class; a quarter of them validates."""
    random = np.random.default_rng(seed)
    rest = np.concatenate([splits.train, splits.validation])
    names = np.array([examples.rows[i].label for i in rest])
    chosen = [random.permutation(rest[names == name])[:per] for name in np.unique(names)]
    held = max(1, per // 4)
    return Splits(
        np.sort(np.concatenate([c[held:] for c in chosen])),
        np.sort(np.concatenate([c[:held] for c in chosen])),
        splits.test,
        splits.left_out,
        "few",
    )


def only_training(data: FitData) -> FitData:
    """With a memory that holds the training pictures and nothing else."""
    from ravl.training.evidence_bank import DEEPEST

    groups = data.train.examples.seen_groups()
    datastore = data.datastore.only(np.isin(data.datastore.groups, groups))

    def side(part: Any) -> Any:
        near = datastore.neighbours(
            data.keys(part.queries.features), min(DEEPEST, len(datastore)), part.examples.shown
        )
        return replace(part, neighbours=near, wide=near)

    return replace(
        data,
        datastore=datastore,
        train=side(data.train),
        validation=side(data.validation),
        test=side(data.test),
    )


def fit_and_judge(data: FitData, work: Path, on_all: bool = True) -> tuple[TestResults, Fitted]:
    """All levels that the settings ask for, judged.

    Args:
        data: to fit on.
        work: folder for checkpoints.
        on_all: fit once more on training and validation pictures, with all of the memory.
    """
    data, fitted = fit_levels(data, work, None)
    if on_all:
        data, fitted = fit_on_all(data, fitted)
    return judge(data, fitted.levels, fitted.chosen), fitted


def _clothes(folder: Path) -> Lines:
    lines: Lines = []
    with memory_of("clothing_small", folder) as memory:
        task, settings = LabelTargets("classify"), FitSettings(model="linear")
        examples = read_labelled(memory, memory, task.of)
        splits = _splits(examples, memory, task, 'split = "validation"')
        full = prepare(memory, task, settings, examples, splits)
        judged, _ = fit_and_judge(full, folder / "full")
        lines += _lines("clothing_small, all", [judged], "classify")
        for per in (16, 4):
            found = []
            for seed in range(SEEDS):
                data = prepare(memory, task, settings, examples, few(examples, splits, per, seed))
                found.append(
                    fit_and_judge(only_training(data), folder / f"few-{per}-{seed}", False)[0]
                )
            lines += _lines(f"clothing_small, {per} a class, {SEEDS} seeds", found, "classify")
        fusion = replace(full, settings=FUSION)
        judged, fitted = fit_and_judge(fusion, folder / "fusion")
        name = "clothing_small, all, fusion"
        lines += _lines(name, [judged], "classify")
    for level, what in (("fusion_off", "without retrieval"), ("fusion", "with retrieval")):
        lines.append({"set": name, "trained": what, "seconds": round(fitted.seconds[level])})
    return lines


def _clip_art(folder: Path) -> Lines:
    with memory_of("openclipart", folder) as memory:
        task, settings = LabelTargets("tag"), FitSettings(model="linear", min_examples=FEWEST)
        examples = read_labelled(memory, memory, task.of)
        data = prepare(memory, task, settings, examples, _splits(examples, memory, task, None))
        judged, _ = fit_and_judge(data, folder / "tags")
        return _lines(f"openclipart, {len(data.labels)} tags", [judged], "tag")


def _splits(examples: Examples, memory: Memory, task: LabelTargets, test: str | None) -> Splits:
    classes = [row.label or "" if task.exclusive else "" for row in examples.rows]
    return split(
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


def _lines(name: str, runs: list[TestResults], task: str) -> Lines:
    """A line for each row: the score with its interval, or the mean over seeds and its spread."""
    lines: Lines = []
    for row in (row for row in ROWS if row in runs[0].scores):
        line: dict[str, Any] = {"set": name, "row": row}
        for measure in MEASURES[task]:
            scores = [judged.scores[row].get(measure) for judged in runs]
            values = [s.value for s in scores if s is not None]
            if len(runs) == 1 and scores[0] is not None:
                line[measure] = scores[0].percent()
            elif values:
                line[measure] = f"{100 * np.mean(values):.1f} % (± {100 * np.std(values):.1f})"
        lines.append(line)
    if len(runs) == 1:
        gain = runs[0].differences["with_retrieval", "no_retrieval"]
        lines.append(
            {
                "set": name,
                "row": "with - no retrieval",
                **{m: gain[m].percent() for m in MEASURES[task] if m in gain},
            }
        )
    return lines
