"""Labels saved by `ravl suggest` against labels of random pictures.

`clothing_small`: 1,000 random pictures judge; the others are a memory without labels. Labels are
given in batches, and after each batch a linear run is fitted (`fit classify --model linear`) and
judged with retrieval, then asked for the next batch. Mean accuracy over the seeds, with its 95 %
interval; `memory alone` suggests without the runs, as `ravl suggest MEMORY` does. All three begin
from nothing, so that the first batch of `run` is the memory's.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.report import Lines, picture_set, with_interval
from ravl.data import Example
from ravl.encoders import Encoder
from ravl.memory import Memory
from ravl.tasks.fit import fit
from ravl.tasks.labels.active_learning import suggest
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.model import Model

BATCHES = (30, 30, 60, 120)
SEEDS = 4
JUDGES = 1000
WAYS = ("random", "memory alone", "run")
TINY = {"BATCHES": (16, 8), "SEEDS": 1, "JUDGES": 12}


def run() -> Lines:
    folder, annotations = picture_set("clothing_small")
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        truth = {a["image"]: a["label"] for a in annotations}
        with Memory.create(work / "all.ravl") as everything:
            everything.add([Example(a["image"], folder / a["image"]) for a in annotations])
            encoder = everything.encoder
        for seed in range(SEEDS):
            for way in WAYS:
                for count, accuracy in _one(work, encoder, truth, way, seed):
                    found.setdefault((way, count), []).append(accuracy)
                told = {c: round(f[-1], 3) for (w, c), f in found.items() if w == way}
                print(seed, way, told, flush=True)
    counts = np.cumsum(BATCHES).tolist()
    lines: Lines = []
    for way in WAYS:
        cells = {f"{c} labels, %": with_interval(found[way, c]) for c in counts}
        lines.append({"labelled": way, **cells})
    for way in WAYS[1:]:
        gains = {
            f"{c} labels, %": with_interval(
                [a - b for a, b in zip(found[way, c], found["random", c], strict=True)]
            )
            for c in counts
        }
        lines.append({"labelled": f"{way} - random", **gains})
    return lines


def _one(
    work: Path, encoder: Encoder, truth: dict[str, str], way: str, seed: int
) -> list[tuple[int, float]]:
    """Accuracies by the number of labels."""
    place = work / f"{way} {seed}"
    place.mkdir()
    shutil.copy(work / "all.ravl", place / "m.ravl")
    random = np.random.default_rng(seed)
    ids = [str(id) for id in random.permutation(sorted(truth))]
    judges, free = ids[:JUDGES], ids[JUDGES:]
    found, examples, last = [], 0, None
    with Memory.open(place / "m.ravl", encoder) as memory:
        features = _features(memory, judges)
        memory.delete(judges)
        for count in BATCHES:
            if way == "random":
                chosen, free = free[:count], free[count:]
            else:
                source = last if way == "run" and last is not None else memory
                chosen = [one.row.id for one in suggest(source, count)]
            for id in chosen:
                memory.update(id, label=truth[id])
            examples += count
            out = place / f"run {examples}"
            fit(
                "classify",
                memory,
                out=out,
                model="linear",
                test_share=0.1,
                validation_share=0.2,
                progress=False,
            )
            last = Model(out, memory)
            answers = last.predictor.results(Queries(features))
            right = [a.label == truth[id] for a, id in zip(answers, judges, strict=True)]
            found.append((examples, float(np.mean(right))))
    shutil.rmtree(place)
    return found


def _features(memory: Memory, ids: list[str]) -> np.ndarray:
    from ravl.retrieval.datastore import read_datastore

    datastore = read_datastore(memory)
    places = {row.id: i for i, row in enumerate(datastore.rows)}
    return datastore.features[[places[id] for id in ids]]
