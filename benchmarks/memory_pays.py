"""Where a memory pays: fitted answers with and without it, beside plain methods.

Groceries: 81 kinds, other days and other shops judge (`split = "val"`, secret to the fit). Clothes:
ten kinds, the validation split judges. *All*: all other pictures are labelled. *Later*: a fit
without a quarter of the kinds, whose pictures are then added to the memory; nothing is fitted
again. *Few*: 16 or 4 labelled pictures a kind, the others are in the memory without a label.
*Few, then all*: the same run, after all labels were added to its memory. The pictures that judge
are in the memory while a run is fitted, which holds them out, and are deleted from it before the
run answers. Clip-art: tags, a drawn
fifth judges.

Each case is fitted with `fit classify --model linear` at its defaults; *nothing fitted* is
`ravl classify MEMORY`, by the labels that are in the memory when it is asked. The plain methods are
scikit-learn's, on the same features of the same pictures in the same run: those of the fit, and
for *later* and *then all* also fitted again on all of the memory. `gain` is what retrieval adds to
the fitted answer without it, with a 95 % interval by bootstrap over the pictures.

Captions: Flickr8k's dev photographs, described by the captions of its training photographs without
any fit: by the neighbours' caption that agrees most with the others, and by a composed one.

Questions: DAQUAR, see `benchmarks/memory_pays_questions.py`; its logistic regression sees the
picture, the sentence vector and TF-IDF of the question's words.

Search: Flickr8k's 6,000 training photographs with their captions are in the memory, 1,000 others
judge; the plain method is canonical correlation analysis on the features that the memory stores,
with cross-domain similarity local scaling.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled import memory_of
from benchmarks.memory_pays_questions import questions
from benchmarks.memory_pays_search import searched
from benchmarks.report import Lines, with_interval
from ravl.encoders.base import Array
from ravl.evaluation.generation import compare_texts, measure_text
from ravl.memory import Memory
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.model import CaptionPipeline
from ravl.tasks.caption.predictor import Pictures, TextPredictor
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.fit import fit
from ravl.tasks.labels.model import UntrainedLabels
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.model import load
from ravl.training.examples import read_labelled

JUDGES = {"grocery_store": "val", "clothing_small": "validation"}
SEEDS = 3
TINY = {"JUDGES": {"clothing_small": "validation"}, "SEEDS": 1}
Names = NDArray[np.str_]
Edit = Callable[[Memory], None]


@dataclass(frozen=True)
class World:
    """A picture set in a memory, whose part "test" judges.

    Args:
        name: of the set.
        file: of the memory, with the features of all pictures.
        ids: of the other pictures.
        labels: of these.
        features: of these, (n, F).
        judged: features of the pictures that judge, (m, F).
        truth: their labels.
    """

    name: str
    file: Path
    ids: list[str]
    labels: Names
    features: Array
    judged: Array
    truth: Names

    @classmethod
    def of(cls, name: str, folder: Path) -> World:
        """Read a shared set."""
        with memory_of(name, folder) as memory:
            rows = list(memory.rows(f'split = "{JUDGES[name]}"'))
            memory.update_columns({row.id: {"split": "test"} for row in rows}, "name the test part")
            found = read_labelled(memory, memory, LabelTargets("classify").of)
        test = np.array([row.columns["split"] == "test" for row in found.rows])
        names = np.array([row.label for row in found.rows])
        ids = [row.id for row, held in zip(found.rows, test, strict=True) if not held]
        x = found.features
        file = folder / f"{name}.ravl"
        return cls(name, file, ids, names[~test], x[~test], x[test], names[test])

    def answers(self, folder: Path, before: Edit, after: Edit) -> dict[str, Names]:
        """Answers of a run to the pictures that judge.

        Args:
            folder: for files.
            before: what is done to the memory before the fit.
            after: what is done to another copy of it, from which the run then answers.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        fitted = shutil.copy(self.file, folder / "fitted.ravl")
        with Memory.open(fitted) as memory:
            before(memory)
            fit("classify", memory, out=folder / "run", model="linear", progress=False)
        return self.later(folder, after)

    def later(self, folder: Path, after: Edit) -> dict[str, Names]:
        """Answers of the run in a folder, from a memory to which something was done."""
        with Memory.open(shutil.copy(self.file, folder / "later.ravl")) as memory:
            after(memory)
            memory.delete(where='split = "test"')
            pipeline = load(folder / "run", memory).predictor
            nothing = [np.zeros(0, np.int64)] * len(self.judged)
            ways: dict[str, Any] = {
                "no retrieval": {"retrieval": False},
                "the memory alone": {"vote_only": True},
                "with retrieval": {},
            }
            found = {}
            for way, how in ways.items():
                said = pipeline.judge(Queries(self.judged), nothing, **how)
                found[way] = np.array(said.names)[said.probabilities.argmax(1)]
            alone = UntrainedLabels("classify", memory).judge(Queries(self.judged), nothing)
            found["nothing fitted"] = np.array(alone.names)[alone.probabilities.argmax(1)]
        return found

    def plain(self, chosen: NDArray[np.bool_]) -> dict[str, Names]:
        """Answers of plain methods that learn from some of the pictures, (n,)."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import Normalizer, StandardScaler

        methods = {
            "logistic regression": make_pipeline(
                StandardScaler(), LogisticRegression(C=0.01, max_iter=200)
            ),
            "LDA, shrunk": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
            "10 nearest neighbours": make_pipeline(
                StandardScaler(), Normalizer(), KNeighborsClassifier(10, weights="distance")
            ),
        }
        x, y = self.features[chosen].astype(np.float64), self.labels[chosen]
        return {
            name: method.fit(x, y).predict(self.judged.astype(np.float64))
            for name, method in methods.items()
        }


def run() -> Lines:
    lines: Lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for set_name in JUDGES:
            world = World.of(set_name, folder)
            lines += [*whole(world, folder), *classes_later(world, folder)]
            if set_name == "clothing_small":
                lines += [*few(world, folder, 16), *few(world, folder, 4)]
        lines += [*captions(folder), *questions(folder), *searched(folder)]
    return lines


def captions(folder: Path) -> Lines:
    """Flickr8k's dev photographs, described by the captions of the others; nothing is trained."""
    with memory_of("flickr8k", folder) as memory:
        found = read_labelled(memory, memory, CaptionTargets().of)
        held = np.array([row.columns["split"] == "dev" for row in found.rows])
        memory.delete(where='split = "dev"')
        predictor, index = CaptionPipeline(memory)._ready()
        texts = [row.texts for row, judged in zip(found.rows, held, strict=True) if judged]
        features, groups = found.features[held], found.groups[held]
        said: dict[str, list[str]] = {}
        began = time.process_time()
        for name, composes in (("consensus of 100 neighbours", False), ("composed", True)):
            who = replace(predictor, composes=composes)
            said[name] = [text for part in _parts(features) for text in _texts(who, index, part)]
            seconds = (time.process_time() - began) / len(features)
            began = time.process_time()
    line = {"set": "flickr8k", "case": "captions, nothing trained"}
    scores = {n: measure_text("captions", its, texts, groups=groups) for n, its in said.items()}
    gain = compare_texts(
        "captions", said["composed"], said["consensus of 100 neighbours"], texts, groups=groups
    )
    lines = [
        {**line, "answer": n, "CIDEr-D": str(s["CIDEr-D"]), "BLEU-4": s["BLEU-4"].percent()}
        for n, s in (*scores.items(), ("gain", gain))
    ]
    return [*lines, {**line, "CPU seconds a composed caption": round(seconds, 2)}]


def _parts(features: Array, size: int = 50) -> list[Array]:
    return [features[i : i + size] for i in range(0, len(features), size)]


def _texts(predictor: TextPredictor, index: CaptionIndex, features: Array) -> list[str]:
    near = predictor.neighbours(features, index)
    recalled = predictor.recall(features, near, index)
    return [found.best for found in predictor.propose(Pictures(features), index, near, recalled)]


def whole(world: World, folder: Path) -> Lines:
    """All pictures are labelled, and in the memory."""
    every = np.ones(len(world.ids), bool)
    began = time.process_time()
    found = world.answers(folder / "work", nothing, nothing)
    seconds = time.process_time() - began
    right = {name: said == world.truth for name, said in {**found, **world.plain(every)}.items()}
    lines = _lines(world, "all", [right])
    return [*lines, {"set": world.name, "case": "all", "CPU seconds of the fit": round(seconds)}]


def classes_later(world: World, folder: Path) -> Lines:
    """A quarter of the kinds comes after the fit."""
    names = np.unique(world.labels)
    new = np.random.default_rng(0).permutation(names)[: max(len(names) // 4, 1)]
    late = np.isin(world.labels, new)

    def without(memory: Memory) -> None:
        quoted = {row.id for row in memory.rows() if row.label in set(new.tolist())}
        memory.delete(sorted(quoted))

    found = world.answers(folder / "work", without, nothing)
    again = {f"{n}, again": said for n, said in world.plain(np.ones(len(late), bool)).items()}
    every = {**found, **world.plain(~late), **again}
    right = {name: said == world.truth for name, said in every.items()}
    fresh = np.isin(world.truth, new)
    lines: Lines = []
    for kind, some in (("all kinds", fresh | ~fresh), ("new kinds", fresh), ("old kinds", ~fresh)):
        part = {name: hits[some] for name, hits in right.items()}
        lines += _lines(world, f"{len(new)} of {len(names)} kinds later: {kind}", [part])
    return lines


def few(world: World, folder: Path, per: int) -> Lines:
    """So many labelled pictures a kind; then the labels of all others."""
    first: list[dict[str, NDArray[np.bool_]]] = []
    then: list[dict[str, NDArray[np.bool_]]] = []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        order = random.permutation(len(world.ids))
        some = np.zeros(len(order), bool)
        for name in np.unique(world.labels):
            some[order[world.labels[order] == name][:per]] = True
        silent = [id for id, given in zip(world.ids, some, strict=True) if not given]

        def unlabel(memory: Memory, silent: list[str] = silent) -> None:
            for id in silent:
                memory.update(id, label="")

        plain = world.plain(some)
        again = {f"{n}, again": s for n, s in world.plain(np.ones(len(some), bool)).items()}
        found = world.answers(folder / "work", unlabel, unlabel)
        first.append({n: said == world.truth for n, said in {**found, **plain}.items()})
        with_all = world.later(folder / "work", nothing)
        then.append({n: said == world.truth for n, said in {**with_all, **again}.items()})
    return [
        *_lines(world, f"{per} labels a kind", first),
        *_lines(world, f"{per} labels a kind, then all", then),
    ]


def nothing(memory: Memory) -> None:
    """The memory stays as it is."""


def _lines(world: World, case: str, runs: list[dict[str, NDArray[np.bool_]]]) -> Lines:
    lines: Lines = []
    for name in runs[0]:
        hits = np.concatenate([run[name] for run in runs])
        lines.append(
            {
                "set": world.name,
                "case": case,
                "answer": name,
                "accuracy, %": with_interval(hits.tolist()),
            }
        )
    gained = [run["with retrieval"].astype(float) - run["no retrieval"] for run in runs]
    lines.append(
        {
            "set": world.name,
            "case": case,
            "answer": "gain",
            "accuracy, %": with_interval(np.concatenate(gained).tolist()),
        }
    )
    return lines
