"""Judging a fitted predictor on the test split: the four rows, and what retrieval changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation import BINARY, Score, compare, confidences, measure
from ravl.retrieval.datastore import Ints
from ravl.tasks.match.dataset import HeldPairs, MatchFitData
from ravl.tasks.match.pair_features import shuffled
from ravl.tasks.match.predictor import MatchPredictor, PairScores
from ravl.training.report_rows import DIFFERENCES
from ravl.training.run_record import risk_summary


@dataclass(frozen=True, eq=False)
class MatchTestResults:
    """Answers to the test split by every row, and their scores.

    Args:
        truth: 1 for a true pair, else 0, (n,).
        answers: by name of the row.
        scores: by name of the row, then by metric.
        differences: by names of two rows, the first minus the second.
    """

    truth: Ints
    answers: Mapping[str, PairScores]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    differences: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)


def judge(
    data: MatchFitData, levels: Mapping[str, MatchPredictor], chosen: str
) -> MatchTestResults:
    """Answer the test split by all rows and score them, each in the same way.

    Args:
        data: whose test split nobody has looked at so far.
        levels: predictors by name: ``vote``; ``linear``; ``fusion`` and ``fusion_off``, which was
            trained without retrieval.
        chosen: the level that the run keeps.
    """
    side, best = data.test, levels[chosen]
    answers = {"zero_shot": _zero_shot(side, best)}
    for name, level in levels.items():
        if name != "vote":
            answers[f"{name} alone"] = level.without(side.asked)
        answers[name] = _answer(data, side, level)
    answers["with_retrieval"] = answers[chosen]
    if not best.has_model and "linear" in levels:
        answers["no_retrieval"] = answers["linear alone"]
    if best.has_model:
        alone = "fusion_off" if chosen == "fusion" and "fusion_off" in levels else chosen
        answers["no_retrieval"] = answers[f"{alone} alone"]
        answers["retrieval_on"] = answers[chosen]
        answers["retrieval_off"] = answers[f"{chosen} alone"]
        answers["retrieval_shuffled"] = _answer(data, random_neighbours(data, side), best)
    return _scored(answers, side, data.settings.seed)


def abstention(
    judged: MatchTestResults, predictor: MatchPredictor, data: MatchFitData
) -> dict[str, float] | None:
    """What the run does at the risk of its settings: the share that it answers, and errors in it.

    None where nothing was calibrated.
    """
    if predictor.calibration is None:
        return None
    risk, final = data.settings.target_risk, judged.answers["with_retrieval"]
    limit = predictor.calibration.threshold(risk)
    confidence, right = confidences(BINARY, final.probabilities, judged.truth, final.threshold)
    return risk_summary(confidence, right, limit, risk)


def _answer(data: MatchFitData, side: HeldPairs, level: MatchPredictor) -> PairScores:
    evidence = level.evidence(data.row_texts)
    return level.answer(side.asked, data.row_texts, side.clues, evidence, apart=False)


def random_neighbours(data: MatchFitData, side: HeldPairs) -> HeldPairs:
    """The same pairs, to whom random rows speak in place of those that were found."""
    asked = side.asked
    clues = shuffled(
        side.clues,
        asked.vectors,
        data.keys(asked.features),
        asked.picture,
        asked.text,
        data.row_texts,
        data.settings.seed,
    )
    return replace(side, clues=clues)


def _zero_shot(side: HeldPairs, predictor: MatchPredictor) -> PairScores:
    """The pretrained encoder's cosine, scaled to a probability."""
    stack = predictor.stacks["zero_shot"]
    signals = replace(predictor, picture_head=None, reader=None).from_model(side.asked)
    found: Array = stack.probabilities(signals)
    nothing = np.zeros_like(found)
    return PairScores(found, nothing, found, nothing, predictor.limit("zero_shot"), signals)


def _scored(answers: Mapping[str, PairScores], side: HeldPairs, seed: int) -> MatchTestResults:
    judged = MatchTestResults(side.targets, answers)
    for name, found in answers.items():
        judged.scores[name] = measure(
            BINARY,
            found.probabilities,
            side.targets,
            thresholds=found.threshold,
            groups=side.groups,
            seed=seed,
        )
    for after, before in DIFFERENCES:
        if after in answers and before in answers:
            new, old = answers[after], answers[before]
            judged.differences[after, before] = compare(
                BINARY,
                new.probabilities,
                old.probabilities,
                side.targets,
                thresholds_after=new.threshold,
                thresholds_before=old.threshold,
                groups=side.groups,
                seed=seed,
            )
    return judged
