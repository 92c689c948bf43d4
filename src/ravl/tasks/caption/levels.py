"""The levels of a predictor: the memory alone, and a generator with a choice among texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.models.calibration import RiskCalibrator
from ravl.models.generation.base import Decoding, Generator
from ravl.models.generation.candidate_ranker import fit_chooser
from ravl.models.generation.schemas import read_schema
from ravl.models.stacking import fit_stack
from ravl.retrieval.datastore import SimilarityFloor
from ravl.tasks.caption.dataset import TextFitData, TextSplit
from ravl.tasks.caption.image_text_score import ImageTextScorer
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.proposals import FITS, MEMORY, WRITTEN, Proposals

MOST = 1000  # validation pictures that choosing is learned on
TINY = 1e-6  # a probability that was 0
LEVELS = {"memory": MEMORY, "alone": WRITTEN, "both": (*WRITTEN, *MEMORY)}
WITH_GENERATOR = ("alone", "both")  # what the memory alone says stays as it is


@dataclass(frozen=True, slots=True)
class Level:
    """A predictor, and what it came to on the validation pictures that it was finished on.

    Args:
        predictor: that is finished.
        rated: quality of the texts that it chose, (n,).
        log_loss: mean negative log-likelihood of their being good, under its confidence.
    """

    predictor: TextPredictor
    rated: Array
    log_loss: float


def watched(data: TextFitData) -> TextSplit:
    """Validation pictures that a predictor is finished on."""
    side = data.validation
    if len(side) <= MOST:
        return side
    random = np.random.default_rng(data.settings.seed)
    return side.take(np.sort(random.choice(len(side), MOST, replace=False)))


def fit_vote(data: TextFitData, quality: Quality, good: QualityBar) -> Level:
    """What the neighbours' texts agree with most, with a calibrated confidence."""
    nearest = max(data.vote.k, data.settings.num_evidence)
    predictor = TextPredictor(
        data.task,
        data.keys,
        data.vote,
        SimilarityFloor.of(data.train.neighbours.first(nearest)),
        composes=data.task.composes,
        standard=data.standard,
        good=good.words,
        quotes=data.settings.quotes,
    )
    found = {"memory": proposals(data, watched(data), predictor, "memory")}
    return _sure(data, predictor, found, quality, good)


def with_generator(
    data: TextFitData,
    vote: TextPredictor,
    generator: Generator,
    quality: Quality,
    good: QualityBar,
    fits: ImageTextScorer | None = None,
) -> Level:
    """The same with a generator; how to choose among its texts and the memory's is learned."""
    file = data.settings.schema
    how = Decoding(
        num_beams=data.settings.num_beams,
        max_new_tokens=int(getattr(generator, "max_new_tokens", 0)),
        schema=read_schema(Path(file)) if file else "",
        length_penalty=0.0 if data.index.whole else 1.0,
    )
    predictor = replace(vote, generator=generator, how=how, fits=fits, regions=data.regions)
    side = watched(data)
    found = {level: proposals(data, side, predictor, level) for level in WITH_GENERATOR}
    choosers = {}
    for level in WITH_GENERATOR:
        rated = [quality.of_one(p.texts, t) for p, t in zip(found[level], side.texts, strict=True)]
        chooser = fit_chooser([p.scores for p in found[level]], rated, scores_of(predictor, level))
        found[level] = [p.ordered(chooser) for p in found[level]]
        choosers[level] = chooser
    predictor = replace(predictor, chooser=choosers["both"], alone=choosers["alone"])
    return _sure(data, predictor, found, quality, good)


def scores_of(predictor: TextPredictor, level: str) -> tuple[str, ...]:
    """The scores of candidates that count at a level."""
    if predictor.fits is None or level == "memory":
        return LEVELS[level]
    return (*LEVELS[level], FITS)


def proposals(
    data: TextFitData, side: TextSplit, predictor: TextPredictor, level: str
) -> list[Proposals]:
    """Candidates for some pictures by one of ``LEVELS``."""
    if level == "alone":
        return predictor.propose(side.pictures, data.index)
    memory = level == "memory"
    neighbours = predictor.above_floor(side.neighbours, memory)
    return predictor.propose(
        side.pictures,
        data.index,
        neighbours,
        predictor.recall(side.pictures.features, neighbours, data.index),
        vote_only=memory,
        opens=data.memory.picture,
    )


def _sure(
    data: TextFitData,
    predictor: TextPredictor,
    found: Mapping[str, Sequence[Proposals]],
    quality: Quality,
    good: QualityBar,
) -> Level:
    """With the confidence of each level, and the calibration of the last, which is judged."""
    side, doubts = watched(data), dict(predictor.doubts)
    rated, sure, right = (np.zeros(0, np.float32) for _ in range(3))
    for level, its in found.items():
        rated = quality([p.best for p in its], side.texts)
        right = (rated >= good.least).astype(np.float32)
        names = scores_of(predictor, level)
        scores = {
            name: np.array([p.scores[name][0] if p.texts else 0.0 for p in its], np.float32)
            for name in names
        }
        doubts[level] = fit_stack(scores, names, right)
        sure = doubts[level].probabilities(scores)
    finished = replace(predictor, doubts=doubts, calibration=RiskCalibrator.of(sure, right))
    safe = np.where(right > 0, sure, 1 - sure).clip(TINY)
    return Level(finished, rated, float(-np.log(safe).mean()))
