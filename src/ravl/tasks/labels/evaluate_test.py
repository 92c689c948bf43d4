"""Judging a fitted predictor on the test split: the four rows, and what retrieval changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import Score, compare, measure
from ravl.models.zero_shot import label_vectors, zero_shot
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.runs.generated import of_people
from ravl.tasks.labels.dataset import FitData, rows_with_target
from ravl.tasks.labels.predictor import Answers, LabelPredictor
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.evidence_bank import DEEPEST
from ravl.training.report_rows import DIFFERENCES


@dataclass(frozen=True, eq=False)
class TestResults:
    """Answers to the test split by every row, and their scores.

    Args:
        names: C' labels that could be answered.
        truth: positions among the names (n,), -1 for a label nobody knows; or tags (n, C').
        answers: by name of the row.
        thresholds: of tags, by name of the row; None where labels exclude each other.
        scores: by name of the row, then by metric.
        differences: by names of two rows, the first minus the second.
    """

    names: list[str]
    truth: Ints
    answers: Mapping[str, Answers]
    thresholds: Mapping[str, Array | None]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    differences: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)

    def wide(self, row: str) -> Array:
        """Probabilities of a row for all names, (n, C'); 0 for labels that it does not know."""
        return wide(self.answers[row].probabilities, len(self.names))


def judge(
    data: FitData,
    levels: Mapping[str, LabelPredictor],
    chosen: str,
    baselines: Mapping[str, Array] | None = None,
) -> TestResults:
    """Answer the test split by all rows and score them, each in the same way.

    Args:
        data: whose test split nobody has looked at so far.
        levels: predictors by name: ``vote``; ``linear``; ``fusion`` and ``fusion_off``, which was
            trained without retrieval.
        chosen: the level that the run keeps.
        baselines: probabilities (n, C) of the test split by rows that the task adds or sees
            otherwise.
    """
    queries, task = data.test.queries, data.task
    best = levels[chosen]
    neighbours = data.test.seen(best.spread)
    # Propagating labels over the memory takes long: once for all levels that do it.
    matrices = {
        spread: LabelMatrix.of(data.datastore, task, data.labels, spread)
        for spread in {False, *(level.spread for level in levels.values())}
    }
    label_matrix = matrices[best.spread]
    evidence = best.evidence(label_matrix, data.memory)
    answers = {name: Answers.of_model(data.labels, p) for name, p in (baselines or {}).items()}
    if "zero_shot" not in answers:
        answers["zero_shot"] = _zero_shot(data)
    used = {"zero_shot": best, "vote": levels["vote"]}
    answers["vote"] = levels["vote"].answer(
        queries, matrices[False], data.test.neighbours, vote_only=True
    )
    if task.generated:
        answers["vote_human"] = _of_people(data, levels["vote"], matrices[False])
        used["vote_human"] = levels["vote"]
    alone = levels.get("fusion_off", best) if chosen == "fusion" else best
    if best.head is not None:
        answers["no_retrieval"] = alone.without(queries)
        answers["with_retrieval"] = best.answer(queries, label_matrix, neighbours, evidence)
        shuffled = random_neighbours(neighbours, len(data.datastore), data.settings.seed)
        answers["retrieval_on"] = answers["with_retrieval"]
        answers["retrieval_off"] = best.without(queries)
        answers["retrieval_shuffled"] = best.answer(queries, label_matrix, shuffled, evidence)
        used |= {"no_retrieval": alone}
    else:  # a run that only votes: its retrieval is all it has
        answers["with_retrieval"] = answers["vote"]
        used["with_retrieval"] = levels["vote"]
        if "linear" in levels:
            answers["no_retrieval"] = levels["linear"].without(queries)
            used["no_retrieval"] = levels["linear"]
    for name, level in levels.items():
        if name != "vote":
            answers[f"{name} alone"] = level.without(queries)
            seen = matrices[level.spread]
            answers[name] = level.answer(
                queries, seen, data.test.seen(level.spread), level.evidence(seen, data.memory)
            )
            used |= {name: level, f"{name} alone": level}
    # Tags are judged one by one, so that those too rare to be learned can be left out; a label
    # that only the memory knows takes its share of every answer, and belongs to the picture.
    names = label_matrix.names if task.exclusive else data.labels
    return _scored(data, names, answers, {n: used.get(n, best) for n in answers})


def _of_people(data: FitData, vote: LabelPredictor, label_matrix: LabelMatrix) -> Answers:
    """The vote of what people said alone, to tell what is gained by what was generated."""
    part, datastore = data.test.examples, data.datastore
    alone = replace(data.task, generated=False)
    people = rows_with_target(datastore, data.task) & of_people(datastore, data.memory, alone.of)
    depth = min(max(DEEPEST, vote.vote.k), len(datastore))
    neighbours = datastore.neighbours(data.keys(part.features), depth, part.shown, people)
    return vote.answer(data.test.queries, label_matrix, neighbours, vote_only=True)


def _scored(
    data: FitData,
    names: list[str],
    answers: Mapping[str, Answers],
    used: Mapping[str, LabelPredictor],
) -> TestResults:
    task, seed = data.task, data.settings.seed
    truth = task.truth(data.test.examples.rows, names)
    limits = {n: None if task.exclusive else used[n].limits(names) for n in answers}
    judged = TestResults(names, truth, answers, limits)
    groups, rows = data.test.examples.groups, data.test.examples.rows
    for name in answers:
        judged.scores[name] = measure(
            task.output_kind,
            judged.wide(name),
            truth,
            thresholds=limits[name],
            groups=groups,
            seed=seed,
        ) | task.text_scores(rows, names, judged.wide(name), groups=groups, seed=seed)
    for after, before in DIFFERENCES:
        if after in answers and before in answers:
            both = judged.wide(after), judged.wide(before)
            judged.differences[after, before] = compare(
                task.output_kind,
                *both,
                truth,
                thresholds_after=limits[after],
                thresholds_before=limits[before],
                groups=groups,
                seed=seed,
            ) | task.text_scores(rows, names, *both, groups=groups, seed=seed)
    return judged


def _zero_shot(data: FitData) -> Answers:
    """The pretrained encoder, which knows the names of the labels and nothing else."""
    encoder = data.memory.encoder
    vectors = encoder.project(data.test.queries.features)
    names = label_vectors(encoder, data.labels, data.settings.prompt_templates)
    return Answers.of_model(data.labels, zero_shot(vectors, names, data.task.exclusive))


def random_neighbours(neighbours: Neighbours, rows: int, seed: int) -> Neighbours:
    """Random rows in place of neighbours, with the similarity that the neighbours had."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, rows, neighbours.positions.shape)
    return replace(neighbours, positions=np.where(neighbours.found, drawn, -1))


def wide(found: Array, count: int) -> Array:
    """Probabilities (n, C) for the first ``count`` names, (n, count); 0 for unknown ones."""
    padded = np.pad(found[:, :count], ((0, 0), (0, max(0, count - found.shape[1]))))
    shares: Array = np.clip(padded, 0, 1)
    return shares


def right(found: Array, truth: Ints, limits: Array | None) -> NDArray[np.bool_]:
    """Whether answers are wholly the truth, (n,).

    Args:
        found: probabilities, (n, C).
        truth: positions among the names (n,); or tags (n, C).
        limits: thresholds of tags (C,); None where labels exclude each other.
    """
    if limits is None:
        single: NDArray[np.bool_] = found.argmax(1) == truth
        return single
    whole: NDArray[np.bool_] = ((found >= limits) == (truth > 0)).all(1)
    return whole


def given(line: Array, names: Sequence[str], limits: Array | None) -> list[str]:
    """The names that an answer (C,) gives, the surest first: one, or the tags above the limits."""
    if limits is None:
        return [names[int(line.argmax())]]
    return [names[j] for j in np.argsort(-line, kind="stable") if line[j] >= limits[j]]
