"""Where a memory pays: new classes without training, few labels among many pictures, and poison.

All on `clothing_small`, its validation split judges. *New classes*: a linear head fitted on seven
of the ten classes, then 5, 20 or all pictures of the other three are added to the memory; nothing
is trained (five draws of the three). *Few labels*: 4 or 16 labelled pictures a class, all other
training pictures in the memory without a label, which label propagation fills in (five seeds).
*Poison*: 1, 2 or 4 records with a wrong label planted next to each query, at a similarity of 0.95.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import SEEDS, few, memory_of
from benchmarks.report import Lines
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.models.gate import probabilities
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.tasks.labels.choose import fit_levels
from ravl.tasks.labels.dataset import FitData, prepare, searching
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.levels import fit_vote, linear_level
from ravl.tasks.labels.predictor import LabelPredictor, Queries
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.evidence_bank import DEEPEST
from ravl.training.examples import Examples, read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.splits import Splits, split

TASK = LabelTargets("classify")
NEAR = 0.95  # similarity of a planted record
NEW = 3  # classes that come later
TINY = {"SEEDS": 1, "NEW": 1}
Row = dict[str, Any]


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder, memory_of("clothing_small", Path(folder)) as m:
        examples = read_labelled(m, m, TASK.of)
        classes = [row.label or "" for row in examples.rows]
        splits = split(
            examples.rows,
            examples.groups,
            classes,
            m,
            validation=None,
            test='split = "validation"',
            validation_share=0.15,
            test_share=0.2,
            seed=0,
        )
        return [
            *new_classes(m, examples, splits),
            *few_labels(m, examples, splits),
            *poison(m, examples, splits),
        ]


# --- new classes -------------------------------------------------------------------------------


def new_classes(memory: Memory, examples: Examples, splits: Splits) -> Lines:
    found: dict[tuple[str, str], list[list[float]]] = {}
    names = np.array([row.label for row in examples.rows])
    for seed in range(SEEDS):
        new = np.random.default_rng(seed).permutation(np.unique(names))[:NEW]
        old = Splits(
            splits.train[~np.isin(names[splits.train], new)],
            splits.validation[~np.isin(names[splits.validation], new)],
            splits.test,
            splits.left_out,
            "old classes",
        )
        data = prepare(memory, TASK, FitSettings(model="linear"), examples, old)
        known = np.isin([row.label or "" for row in data.datastore.rows], data.labels)
        everything, data = data.datastore, with_bank(data, data.datastore.only(known))
        predictor = fitted(data)[1]
        everything = searching(everything, predictor.keys)
        truth = names[splits.test]
        for per in (5, 20, None):
            datastore = grown(everything, new, per, seed)
            answers = grown_answers(predictor, datastore, data.test.queries)
            for how, said in answers.items():
                right = said == truth
                fresh = np.isin(truth, new)
                found.setdefault((str(per or "all"), how), []).append(
                    [right.mean(), right[fresh].mean(), right[~fresh].mean()]
                )
    whole = prepare(memory, TASK, FitSettings(model="linear"), examples, splits)
    best = fitted(whole)[1]
    said = np.array(best.labels)[best.without(whole.test.queries).probabilities.argmax(1)]
    found["all", "head trained again on all ten classes"] = [[(said == names[splits.test]).mean()]]
    return [
        {
            "new pictures a class": per,
            "answer": how,
            **dict(
                zip(("all classes", "new classes", "old classes"), _percent(values), strict=False)
            ),
        }
        for (per, how), values in found.items()
    ]


def grown(datastore: Datastore, new: Any, per: int | None, seed: int) -> Datastore:
    """The bank with so many rows of each new class."""
    names = np.array([row.label for row in datastore.rows])
    kept = ~np.isin(names, new)
    random = np.random.default_rng(seed)
    for name in new:
        kept[random.permutation(np.flatnonzero(names == name))[:per]] = True
    return datastore.only(kept)


def grown_answers(
    predictor: LabelPredictor, datastore: Datastore, queries: Queries
) -> dict[str, Any]:
    """Labels by the head alone, the vote alone, and both, with a memory that has grown."""
    label_matrix = LabelMatrix.of(datastore, TASK, predictor.labels)
    near = predictor.neighbours(queries, label_matrix)
    both = predictor.answer(queries, label_matrix, near)
    votes = predictor.answer(queries, label_matrix, near, vote_only=True)
    plain = predictor.vote(near, label_matrix.labels, label_matrix.worth)
    names = np.array(label_matrix.names)
    alone = predictor.without(queries).probabilities
    return {
        "head alone": np.array(predictor.labels)[alone.argmax(1)],
        "plain vote": names[plain.argmax(1)],
        "vote, novel labels balanced": names[votes.probabilities.argmax(1)],
        "with retrieval": names[both.probabilities.argmax(1)],
    }


# --- few labels --------------------------------------------------------------------------------


def few_labels(memory: Memory, examples: Examples, splits: Splits) -> Lines:
    found: dict[tuple[int, str], list[list[float]]] = {}
    for per in (4, 16):
        for seed in range(SEEDS):
            some = few(examples, splits, per, seed)

            data = prepare(memory, TASK, FitSettings(model="linear"), examples, some)
            mine = np.isin(data.datastore.groups, data.train.examples.seen_groups())
            rows = [
                row if own else replace(row, label=None)
                for row, own in zip(data.datastore.rows, mine, strict=True)
            ]
            silent = with_bank(data, replace(data.datastore, rows=rows))
            truth = data.truth(data.test)
            for how, spread in (
                ("labels only", "no"),
                ("labels propagated", "yes"),
                ("chosen by held-out examples", "auto"),
            ):
                settings = FitSettings(model="linear", propagate_labels=spread)  # type: ignore[arg-type]
                there, predictor = fitted(replace(silent, settings=settings))
                label_matrix = LabelMatrix.of(there.datastore, TASK, there.labels, predictor.spread)
                near = there.test.seen(predictor.spread)
                both = predictor.answer(there.test.queries, label_matrix, near)
                if spread == "no":
                    alone = predictor.without(there.test.queries).probabilities
                    found.setdefault((per, "head alone"), []).append(_scores(alone, truth))
                votes = predictor.answer(there.test.queries, label_matrix, near, vote_only=True)
                for name, p in (("vote", votes), ("with retrieval", both)):
                    found.setdefault((per, f"{name}, {how}"), []).append(
                        _scores(p.probabilities, truth)
                    )
    return [
        {
            "labels a class": per,
            "answer": how,
            **dict(zip(("accuracy", "macro F1"), _percent(values), strict=False)),
        }
        for (per, how), values in found.items()
    ]


def fitted(data: FitData) -> tuple[FitData, LabelPredictor]:
    """The data as it is searched after the choice of keys, and the linear level."""
    with tempfile.TemporaryDirectory() as work:
        found, levels = fit_levels(data, Path(work), None)
    return found, levels.levels["linear"]


def with_bank(data: FitData, datastore: Datastore) -> FitData:
    """The ground with another bank, and the neighbours found in it."""
    speaking = np.array([bool(TASK.of(row)) for row in datastore.rows])

    def side(part: Any) -> Any:
        keys, depth = data.keys(part.queries.features), min(DEEPEST, len(datastore))
        hidden = part.examples.shown
        return replace(
            part,
            neighbours=datastore.neighbours(keys, depth, hidden, speaking),
            wide=datastore.neighbours(keys, depth, hidden),
        )

    return replace(
        data,
        datastore=datastore,
        train=side(data.train),
        validation=side(data.validation),
        test=side(data.test),
    )


# --- poison ------------------------------------------------------------------------------------


def poison(memory: Memory, examples: Examples, splits: Splits) -> Lines:
    data = prepare(memory, TASK, FitSettings(model="linear"), examples, splits)
    predictor = linear_level(data, fit_vote(data), *fit_head(data))
    count, labels = len(data.datastore), len(data.labels)
    clean = LabelMatrix.of(data.datastore, TASK, data.labels)
    fakes = np.eye(labels, dtype=np.float32)  # one planted record for each wrong label
    said = np.vstack([clean.labels, fakes])
    worth = np.ones(len(said), np.float32)
    truth = data.truth(data.test)
    wrong = (truth + np.random.default_rng(0).integers(1, labels, len(truth))) % labels
    ways: dict[str, Vote] = {
        "plain softmax vote": replace(predictor.vote, cap=1.0),
        "capped vote": predictor.vote,
    }
    lines: Lines = []
    for planted in (0, 1, 2, 4):
        near = _planted(data.test.neighbours, count + wrong, planted)
        line: Row = {"planted": planted}
        for name, vote in ways.items():
            answers = vote(near, said, worth)
            line[name] = _flipped(answers, vote(data.test.neighbours, said, worth), truth, wrong)
        own = predictor.logits(data.test.queries)
        votes = predictor.vote(near, said, worth)
        mixed = predictor.gate(votes, own, near.best_similarity)[0]
        before = predictor.gate(
            predictor.vote(data.test.neighbours, said, worth),
            own,
            data.test.neighbours.best_similarity,
        )[0]
        line["with retrieval"] = _flipped(mixed, before, truth, wrong)
        alone = probabilities(own, True)
        line["head alone"] = _flipped(alone, alone, truth, wrong)
        lines.append(line)
    return lines


def _planted(near: Neighbours, fakes: Ints, planted: int) -> Neighbours:
    """The same neighbours behind so many planted ones."""
    positions = np.repeat(fakes[:, None], planted, axis=1)
    similarity = np.full(positions.shape, NEAR, np.float32)
    return Neighbours(
        np.hstack([positions, near.positions]), np.hstack([similarity, near.similarity])
    )


def _flipped(after: Array, before: Array, truth: Ints, wrong: Ints) -> str:
    """Accuracy, and the share of right answers that became the planted label."""
    right = before.argmax(1) == truth
    flipped = (after.argmax(1) == wrong)[right].mean()
    return f"{100 * (after.argmax(1) == truth).mean():.1f} % right, {100 * flipped:.1f} % flipped"


def _scores(found: Array, truth: Ints) -> list[float]:
    from ravl.evaluation import values

    scores = values("multiclass", found, truth)
    return [scores["accuracy"], scores["macro_f1"]]


def _percent(values: list[list[float]]) -> list[str]:
    means, spread = 100 * np.mean(values, axis=0), 100 * np.std(values, axis=0)
    if len(values) == 1:
        return [f"{m:.1f} %" for m in means]
    return [f"{m:.1f} % (± {s:.1f})" for m, s in zip(means, spread, strict=True)]
