"""Judging a fitted captioner on the test part: the four rows, and what neighbours change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import Score, bootstrap
from ravl.evaluation.generation import compare_texts, measure_text
from ravl.models.generation.schemas import are_json, satisfies
from ravl.retrieval.bank import Neighbours
from ravl.tasks.caption.by_name import named
from ravl.tasks.caption.captioner import Captioner
from ravl.tasks.caption.proposals import Proposals
from ravl.tasks.caption.recall import Told, recall
from ravl.tasks.match_texts import base_of
from ravl.training.caption.ground import CaptionGround, CaptionSide
from ravl.training.caption.levels import Good, proposals
from ravl.training.caption.quality import Quality
from ravl.training.labels.judge import DIFFERENCES
from ravl.training.run_record import promise

ROBUST = (("retrieval_on", "retrieval_shuffled"), ("retrieval_on", "retrieval_misleading"))
GENERATED = ("vote", "vote_human")


@dataclass(frozen=True, eq=False)
class CaptionJudged:
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
    ground: CaptionGround, levels: Mapping[str, Captioner], chosen: str, quality: Quality,
    good: Good,
) -> CaptionJudged:  # fmt: skip
    """Describe the test part by all rows and score them, each in the same way.

    Args:
        ground: whose test part nobody has looked at so far.
        levels: captioners by name: ``vote``; ``generator`` and ``generator_off``, which was trained
            without retrieval.
        chosen: the level that the run keeps.
        quality: of texts.
        good: what counts as good.
    """
    side, best = ground.test, levels[chosen]
    answers = {"zero_shot": named(base_of(ground.memory.encoder), side.labelled.features)}
    answers["nearest"] = _nearest(ground, side)
    found = {name: proposals(ground, side, level, _level(level)) for name, level in levels.items()}
    for name, level in levels.items():
        if level.generator is not None:
            answers[f"{name} alone"] = _best(proposals(ground, side, level, "alone"))
            if name == "generator":
                answers["generator first"] = [_likeliest(proposal) for proposal in found[name]]
        answers[name] = _best(found[name])
    if ground.task.generated:
        answers["vote_human"] = _of_people(ground, side, levels["vote"])
    final = found[chosen]
    answers["with_retrieval"] = answers[chosen]
    writer = "generator" if "generator" in levels else None
    if writer:
        alone = "generator_off" if "generator_off" in levels else writer
        answers["no_retrieval"] = answers[f"{alone} alone"]
    if best.generator is not None:
        answers["retrieval_on"] = answers[chosen]
        answers["retrieval_off"] = answers[f"{chosen} alone"]
        for name, near in (("shuffled", strangers(ground, side)), ("misleading", misled(side))):
            other = replace(side, near=near)
            answers[f"retrieval_{name}"] = _best(proposals(ground, other, best, _level(best)))
    confidence = best.confidence(final, _level(best))
    right = quality(answers["with_retrieval"], side.texts) >= good.least
    schema = levels[chosen].how.schema
    return _scored(answers, side, final, confidence, right, ground.settings.seed, schema)


def strangers(ground: CaptionGround, side: CaptionSide) -> Neighbours:
    """Random rows that speak, in place of the neighbours."""
    random = np.random.default_rng(ground.settings.seed)
    speaking = np.flatnonzero(ground.told.said.has)
    positions = random.choice(speaking, side.near.positions.shape)
    return Neighbours(positions.astype(np.int64), side.near.likeness)


def misled(side: CaptionSide) -> Neighbours:
    """The neighbours of another picture: evidence that agrees with itself, and is wrong."""
    other = np.roll(np.arange(len(side)), len(side) // 2)
    return Neighbours(side.near.positions[other], side.near.likeness)


def abstention(judged: CaptionJudged, captioner: Captioner, risk: float) -> dict[str, float] | None:
    """What the run does at a risk: the share of pictures that it describes, and errors in it."""
    if captioner.calibration is None:
        return None
    limit = captioner.calibration.threshold(risk)
    return promise(judged.confidence, judged.right, limit, risk)


def _level(captioner: Captioner) -> str:
    return "memory" if captioner.generator is None else "both"


def _best(found: Sequence[Proposals]) -> list[str]:
    return [proposal.best for proposal in found]


def _nearest(ground: CaptionGround, side: CaptionSide) -> list[str]:
    """The first text of the nearest row."""
    said, starts = ground.told.said, ground.told.starts
    first = side.near.positions[:, 0]
    return [said.texts[starts[row]] if row >= 0 else "" for row in first.tolist()]


def _of_people(ground: CaptionGround, side: CaptionSide, vote: Captioner) -> list[str]:
    """The consensus of people's texts alone, to tell what generated ones add."""
    told = Told.of(ground.bank, replace(ground.task, generated=False), ground.memory)
    near = ground.bank.neighbours(
        ground.keys(side.labelled.features), vote.vote.k, side.labelled.shown, told.said.has
    )
    return _best(vote.propose(side.pictures, told, near, recall(told, near, vote.vote)))


def _likeliest(proposal: Proposals) -> str:
    """What the generator finds likeliest of its own texts, before anything is chosen."""
    own = np.flatnonzero(proposal.rows < 0)
    if not len(own):
        return proposal.best
    return proposal.texts[int(own[proposal.scores["likelihood"][own].argmax()])]


def _scored(
    answers: Mapping[str, list[str]], side: CaptionSide, final: Sequence[Proposals],
    confidence: Array, right: NDArray[np.bool_], seed: int, schema: str,
) -> CaptionJudged:  # fmt: skip
    judged = CaptionJudged(answers, final, confidence, right)
    groups = side.labelled.groups
    structured = are_json([text for its in side.texts for text in its])
    for name, written in answers.items():
        judged.scores[name] = measure_text("caption", written, side.texts, groups=groups, seed=seed)
        if structured:
            valid = np.array([satisfies(text, schema) for text in written], np.float64)
            judged.scores[name]["valid"] = bootstrap(valid, groups, seed=seed)
    for after, before in (*DIFFERENCES, *ROBUST, GENERATED):
        if after in answers and before in answers:
            judged.differences[after, before] = compare_texts(
                "caption", answers[after], answers[before], side.texts, groups=groups, seed=seed
            )
    return judged
