"""Judging a fitted predictor on the test split: the four rows, and what neighbours change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import Score, bootstrap
from ravl.evaluation.generation import compare_texts, measure_text
from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.models.generation.schemas import are_json, satisfies
from ravl.retrieval.datastore import Neighbours
from ravl.runs.generated import of_people
from ravl.tasks.caption.dataset import TextFitData, TextSplit
from ravl.tasks.caption.levels import proposals
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.proposals import BY_GENERATOR, Proposals
from ravl.tasks.caption.writing_task import CAPTION, WritingTask
from ravl.training.report_rows import DIFFERENCES
from ravl.training.run_record import risk_summary

ROBUST = (("retrieval_on", "retrieval_shuffled"), ("retrieval_on", "retrieval_misleading"))
GENERATED = ("vote", "vote_human")


@dataclass(frozen=True, eq=False)
class TextTestResults:
    """Texts about the test pictures by every row, and their scores.

    Args:
        answers: by name of the row, a text for each picture.
        final: how the run's own came about.
        confidence: of the run's own, (n,).
        right: whether each of the run's own is good, (n,).
        scores: by name of the row, then by metric.
        differences: by names of two rows, the first minus the second.
    """

    answers: Mapping[str, list[str]]
    final: Sequence[Proposals]
    confidence: Array
    right: NDArray[np.bool_]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    differences: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)


def judge(
    data: TextFitData,
    levels: Mapping[str, TextPredictor],
    chosen: str,
    quality: Quality,
    good: QualityBar,
    writing: WritingTask = CAPTION,
) -> TextTestResults:
    """Describe the test split by all rows and score them, each in the same way.

    Args:
        data: whose test split nobody has looked at so far.
        levels: predictors by name: ``vote``; ``generator``; ``generator_off``, which was trained
            without retrieval; and ``question_only``, which was trained without pictures, too.
        chosen: the level that the run keeps.
        quality: of texts.
        good: what counts as good.
        writing: what this task has of its own.
    """
    side, best = data.test, levels[chosen]
    answers = {"zero_shot": writing.zero_shot(data)}
    reads = levels.get("question_only", levels.get("generator"))
    if writing.blind is not None and reads is not None:
        unseen = writing.blind(data)
        answers["question_only"] = _best(proposals(unseen, unseen.test, reads, "alone"))
    levels = {name: level for name, level in levels.items() if name != "question_only"}
    answers["nearest"] = _nearest(data, side)
    found = {name: proposals(data, side, level, _level(level)) for name, level in levels.items()}
    for name, level in levels.items():
        if level.generator is not None:
            answers[f"{name} alone"] = _best(proposals(data, side, level, "alone"))
            if name == "generator":
                answers["generator first"] = [_likeliest(proposal) for proposal in found[name]]
        answers[name] = _best(found[name])
    if data.task.generated:
        answers["vote_human"] = _of_people(data, side, levels["vote"])
    final = found[chosen]
    answers["with_retrieval"] = answers[chosen]
    writer = "generator" if "generator" in levels else None
    if writer:
        alone = "generator_off" if "generator_off" in levels else writer
        answers["no_retrieval"] = answers[f"{alone} alone"]
    if best.generator is not None:
        answers["retrieval_on"] = answers[chosen]
        answers["retrieval_off"] = answers[f"{chosen} alone"]
        for name, neighbours in (
            ("shuffled", random_neighbours(data, side)),
            ("misleading", misleading_neighbours(side)),
        ):
            other = replace(side, neighbours=neighbours)
            answers[f"retrieval_{name}"] = _best(proposals(data, other, best, _level(best)))
    confidence = best.confidence(final, _level(best))
    right = quality(answers["with_retrieval"], side.texts) >= good.least
    schema = levels[chosen].how.schema
    return _scored(data, answers, final, confidence, right, schema)


def random_neighbours(data: TextFitData, side: TextSplit) -> Neighbours:
    """Random rows that speak, in place of the neighbours; they are as like as they are."""
    random = np.random.default_rng(data.settings.seed)
    speaking = np.flatnonzero(data.index.row_texts.has)
    positions = random.choice(speaking, side.neighbours.first(data.vote.k).positions.shape)
    similarity = data.datastore.similarity(data.keys(side.examples.features), positions)
    order = np.argsort(-similarity, axis=1)
    return Neighbours(
        np.take_along_axis(positions.astype(np.int64), order, 1),
        np.take_along_axis(similarity, order, 1),
    )


def misleading_neighbours(side: TextSplit) -> Neighbours:
    """The neighbours of another picture, which claim to be as like as its own.

    So evidence looks that was planted: it agrees with itself, and is wrong.
    """
    other = np.roll(np.arange(len(side)), len(side) // 2)
    return Neighbours(side.neighbours.positions[other], side.neighbours.similarity)


def abstention(
    judged: TextTestResults, predictor: TextPredictor, risk: float
) -> dict[str, float] | None:
    """What the run does at a risk: the share of pictures that it describes, and errors in it."""
    if predictor.calibration is None:
        return None
    limit = predictor.calibration.threshold(risk)
    return risk_summary(judged.confidence, judged.right, limit, risk)


def _level(predictor: TextPredictor) -> str:
    return "memory" if predictor.generator is None else "both"


def _best(found: Sequence[Proposals]) -> list[str]:
    return [proposal.best for proposal in found]


def _nearest(data: TextFitData, side: TextSplit) -> list[str]:
    """The first text of the nearest row."""
    row_texts, starts = data.index.row_texts, data.index.starts
    first = side.neighbours.positions[:, 0]
    return [row_texts.texts[starts[row]] if row >= 0 else "" for row in first.tolist()]


def _of_people(data: TextFitData, side: TextSplit, vote: TextPredictor) -> list[str]:
    """The memory's texts without generated ones, to tell what these add."""
    index, alone = data.index, replace(data.task, generated=False)
    people = index.row_texts.has & of_people(data.datastore, data.memory, alone.of)
    keys = data.keys(side.examples.features)
    deep = side.neighbours.positions.shape[1]
    neighbours = data.datastore.neighbours(keys, deep, side.examples.shown, people)
    recalled = vote.recall(side.pictures.features, neighbours, index)
    return _best(vote.propose(side.pictures, index, neighbours, recalled))


def _likeliest(proposal: Proposals) -> str:
    """What the generator finds likeliest of its own texts, before anything is chosen."""
    own = np.flatnonzero(proposal.rows == BY_GENERATOR)
    if not len(own):
        return proposal.best
    return proposal.texts[int(own[proposal.scores["likelihood"][own].argmax()])]


def _scored(
    data: TextFitData,
    answers: Mapping[str, list[str]],
    final: Sequence[Proposals],
    confidence: Array,
    right: NDArray[np.bool_],
    schema: str,
) -> TextTestResults:
    judged, side = TextTestResults(answers, final, confidence, right), data.test
    kind = data.task.output_kind
    groups, seed = side.examples.groups, data.settings.seed
    structured = are_json([text for its in side.texts for text in its])
    for name, written in answers.items():
        judged.scores[name] = measure_text(kind, written, side.texts, groups=groups, seed=seed)
        if structured:
            valid = np.array([satisfies(text, schema) for text in written], np.float64)
            judged.scores[name]["valid"] = bootstrap(valid, groups, seed=seed)
    for after, before in (*DIFFERENCES, *ROBUST, GENERATED):
        if after in answers and before in answers:
            judged.differences[after, before] = compare_texts(
                kind, answers[after], answers[before], side.texts, groups=groups, seed=seed
            )
    return judged
