"""The retriever trained with its task (`--train-retriever`): what it gains over frozen keys.

*Same split*: what a run answers without the option and with it, on the same test pictures, with
paired differences, and whether validation adopts the learned keys (the rows are theirs either way).
`clothing_small` with all labels (its validation split judges) and with 16 a class (five seeds, the
memory holds just these), `openclipart` tags that occur ten times or more (a fifth judges).
*The reader's preferences*: 60 a class with the fusion model, six epochs; keys that learned from the
task's loss alone, and from what the reader prefers as well. *Folds*: vote and gate fitted on
neighbours by keys that saw the examples' own labels, instead of by keys of other folds. *New
classes*: three of ten classes come to the memory after everything was fitted, 20 pictures each
(five draws); keys learned from the other seven. Seconds were measured
beside other work.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence import TASK, grown, grown_answers, with_bank
from benchmarks.labelled import MEASURES, SEEDS, few, memory_of, only_training
from benchmarks.labelled import _splits as splits_of
from benchmarks.report import Lines
from ravl.evaluation import Score, values
from ravl.memory import Memory
from ravl.tasks.labels.choose import Fitted, LevelFitter, fit_levels
from ravl.tasks.labels.dataset import FitData, prepare, rows_with_target, searched_by
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.keys.data import learned_data
from ravl.tasks.labels.keys.gain import Gain, measure_gain
from ravl.tasks.labels.levels import fit_vote, linear_level
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.examples import Examples, read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.splits import Splits

LINEAR = FitSettings(model="linear", train_retriever=True)
FUSION = FitSettings(model="fusion", train_retriever=True, epochs=6)
NEW, PER = 3, 20  # classes that come later, and their pictures
FEWEST = 10  # pictures that a tag must have
FEW, READ = 16, 60  # pictures a class that train where labels are few, and the reader
TINY = {
    "SEEDS": 1,
    "NEW": 1,
    "FEWEST": 2,
    "FEW": 8,
    "READ": 8,
    "FUSION": replace(FUSION, epochs=1),
}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        return [*_clothes(work), *_clip_art(work)]


def _clothes(work: Path) -> Lines:
    with memory_of("clothing_small", work) as memory:
        examples = read_labelled(memory, memory, TASK.of)
        splits = splits_of(examples, memory, TASK, 'split = "validation"')
        full = prepare(memory, TASK, LINEAR, examples, splits)
        lines = _lines("clothing_small, all", [_joint(full, work / "full")], "classify")
        found = []
        for seed in range(SEEDS):
            data = prepare(memory, TASK, LINEAR, examples, few(examples, splits, FEW, seed))
            found.append(_joint(only_training(data), work / f"few-{seed}"))
        lines += _lines(f"clothing_small, {FEW} a class, {SEEDS} seeds", found, "classify")
        return [
            *lines,
            *_reader(memory, examples, splits, work),
            *_folds(full),
            *_new_classes(memory, examples, splits),
        ]


def _clip_art(work: Path) -> Lines:
    with memory_of("openclipart", work) as memory:
        task, settings = LabelTargets("tag"), replace(LINEAR, min_examples=FEWEST)
        examples = read_labelled(memory, memory, task.of)
        data = prepare(memory, task, settings, examples, splits_of(examples, memory, task, None))
        found = _joint(data, work / "tags")
        return _lines(f"openclipart, {len(data.labels)} tags", [found], "tag")


def _joint(data: FitData, work: Path) -> tuple[Gain, Fitted, float]:
    """A fit with the option, what it gained, and the seconds of all but the gain's judging."""
    began = time.monotonic()
    _, fitted = fit_levels(data, work, False)
    took = time.monotonic() - began
    assert fitted.joint is not None
    return measure_gain(fitted.joint), fitted, took


def _lines(name: str, runs: list[tuple[Gain, Fitted, float]], task: str) -> Lines:
    """Rows and their differences: with intervals, or means over the seeds and their spread."""
    lines: Lines = []
    gains = [gain for gain, _, _ in runs if gain.scores]
    for row in gains[0].scores:
        lines.append({"set": name, "row": row, **_values([g.scores[row] for g in gains], task)})
    for after, before in gains[0].differences:
        found = [g.differences[after, before] for g in gains]
        lines.append({"set": name, "row": f"{after} - {before}", **_values(found, task)})
    added = [sum(gain.joint.seconds.values()) for gain, _, _ in runs]
    adopted = sum(gain.joint.adopted for gain, _, _ in runs)
    lines.append(
        {
            "set": name,
            "adopted": f"{adopted} of {len(runs)}",
            "seconds without": f"{np.mean([took for _, _, took in runs]) - np.mean(added):.0f}",
            "seconds more": f"{np.mean(added):.0f}",
            "epochs": ", ".join(str(gain.joint.epochs) for gain, _, _ in runs),
        }
    )
    return lines


def _values(scores: list[Any], task: str) -> dict[str, str]:
    found = {}
    for measure in (*MEASURES[task], "log_loss"):
        some: list[Score] = [s[measure] for s in scores if measure in s]
        if len(some) == 1:
            found[measure] = str(some[0]) if measure == "log_loss" else some[0].percent()
        else:
            v = np.array([s.value for s in some])
            shown = v if measure == "log_loss" else 100 * v
            unit = "" if measure == "log_loss" else " %"
            digits = 3 if measure == "log_loss" else 1
            found[measure] = f"{shown.mean():.{digits}f}{unit} (± {shown.std():.{digits}f})"
    return found


# --- the reader's preferences ------------------------------------------------------------------


def _reader(memory: Memory, examples: Examples, splits: Splits, work: Path) -> Lines:
    from ravl.tasks.labels.keys.reader import reader_preferences

    name = f"clothing_small, {READ} a class, fusion"
    some = few(examples, splits, READ, 0)
    plain = replace(FUSION, whiten="no")  # one reader, with keys that are exchanged under it
    data = only_training(prepare(memory, TASK, plain, examples, some))
    gain, fitted, took = _joint(data, work / "fusion")
    lines = _lines(name, [(gain, fitted, took)], "classify")
    fusion, vote = (gain.joint.frozen.levels[level] for level in ("fusion", "vote"))
    ladder = LevelFitter(work, False)
    ladder.head, ladder.logits = fit_head(data)
    preferred = reader_preferences(data, fusion, ladder.unseen(data))
    grounds = {
        "frozen": data,
        "task's loss": _ground(data, None),
        "task's loss and the reader's preferences": _ground(data, preferred),
    }
    for how, there in grounds.items():
        voting = vote if there is data else fit_vote(there)
        reading = replace(fusion, keys=there.keys)
        lines.append(
            {
                "set": name,
                "keys learned from": how,
                "vote": _accuracy(there, voting, True),
                "the same reader with these neighbours": _accuracy(there, reading, False),
            }
        )
    cares = preferred.weights[preferred.shares.sum(1) > 0]
    what = "how much the reader cares which neighbour it reads (standard deviation, nats)"
    most = np.quantile(cares, 0.95)
    lines.append(
        {"set": name, what: f"{cares.mean():.4f} on average, {most:.4f} at the 95th percentile"}
    )
    return lines


def _ground(data: FitData, preferred: Any) -> FitData:
    found = learned_data(data, preferred)
    return data if found is None else found.data


def _accuracy(data: FitData, predictor: LabelPredictor, vote_only: bool) -> str:
    found = _scores(data, predictor, vote_only)
    return f"{100 * found['accuracy']:.1f} %, log loss {found['log_loss']:.3f}"


def _scores(data: FitData, predictor: LabelPredictor, vote_only: bool) -> dict[str, float]:
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    evidence = predictor.evidence(label_matrix, data.memory)
    answers = predictor.answer(
        data.test.queries, label_matrix, data.test.neighbours, evidence, vote_only=vote_only
    )
    probabilities = wide(answers.probabilities, len(data.labels))
    return {
        **values("multiclass", probabilities, data.truth(data.test)),
        "gate": float(answers.gate.mean()),
    }


# --- folds -------------------------------------------------------------------------------------


def _folds(data: FitData) -> Lines:
    found = learned_data(data)
    assert found is not None
    seen = searched_by(data, found.learned.keys, rows_with_target(data.datastore, data.task))
    head, logits = fit_head(data)
    lines: Lines = []
    for how, there in (("by keys of other folds", found.data), ("by keys that saw them", seen)):
        vote = fit_vote(there)
        both = _scores(there, linear_level(there, vote, head, logits), False)
        lines.append(
            {
                "set": "clothing_small, all",
                "neighbours of training examples": how,
                "vote": _accuracy(there, vote, True),
                "with retrieval": (
                    f"{100 * both['accuracy']:.1f} %, log loss {both['log_loss']:.3f}"
                ),
                "mean gate": f"{both['gate']:.2f}",
            }
        )
    return lines


# --- new classes -------------------------------------------------------------------------------


def _new_classes(memory: Memory, examples: Examples, splits: Splits) -> Lines:
    names = np.array([row.label for row in examples.rows])
    found: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(SEEDS):
        new = np.random.default_rng(seed).permutation(np.unique(names))[:NEW]
        train, held = (p[~np.isin(names[p], new)] for p in (splits.train, splits.validation))
        old = Splits(train, held, splits.test, splits.left_out, "old classes")
        data = prepare(memory, TASK, LINEAR, examples, old)
        known = np.isin([row.label or "" for row in data.datastore.rows], data.labels)
        everything, data = data.datastore, with_bank(data, data.datastore.only(known))
        head, logits = fit_head(data)
        truth = names[splits.test]
        fresh = np.isin(truth, new)
        for how, there in (("frozen", data), ("learned", _ground(data, None))):
            predictor = linear_level(there, fit_vote(there), head, logits)
            datastore = grown(everything, new, PER, seed)
            datastore = replace(datastore, keys=there.keys(datastore.features))
            answers = grown_answers(predictor, datastore, there.test.queries)
            for answer in ("vote, novel labels balanced", "with retrieval"):
                right = answers[answer] == truth
                found.setdefault((how, answer), []).append(
                    [right.mean(), right[fresh].mean(), right[~fresh].mean()]
                )
    columns = ("all classes", "new classes", "old classes")
    return [
        {
            "keys": how,
            "answer": answer,
            **{
                c: f"{100 * m:.1f} % (± {100 * s:.1f})"
                for c, m, s in zip(columns, np.mean(v, 0), np.std(v, 0), strict=True)
            },
        }
        for (how, answer), v in found.items()
    ]
