"""The levels of match below the fusion model: zero-shot, the memory's vote, the dual encoder.

Stacks are fitted on the validation split, which no head and no vote was trained on. What is chosen
by, and what confidence is measured on, is found out of fold: pairs of a picture are in one fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.encoders.trained import TrainedEncoder
from ravl.evaluation import BINARY, confidences
from ravl.models.calibration import RiskCalibrator
from ravl.models.linear import fold_of_groups
from ravl.models.stacking import fit_stack
from ravl.models.vote import KS, TEMPERATURES, Vote
from ravl.retrieval.datastore import Ints
from ravl.tasks.match.dataset import HeldPairs, MatchFitData
from ravl.tasks.match.predictor import EVEN, MEMORY, MatchPredictor

FOLDS = 5
EPOCHS = 10  # of a dual encoder
HIDDEN = 1024  # size of the hidden layer of a dual encoder's heads
HALVED = 16  # training pictures from which halves of them are left out in turn
TINY = 1e-6  # a probability that was 0
LIMITS = np.linspace(0.3, 0.7, 41)  # thresholds that are tried


def fit_vote(data: MatchFitData) -> MatchPredictor:
    """A match predictor that votes: how many rows speak, and by which weights."""
    side = data.validation
    scores: dict[str, Array] = {}
    base = MatchPredictor(data.task, data.keys, data.standard, Vote(), {})
    zero = base.from_model(side.asked)
    best, least = base.vote, np.inf
    for vote in _votes(data):
        found = base.from_memory(side.clues, data.row_texts, vote)[0]
        value = log_loss(out_of_fold(found, MEMORY, side, data.settings.seed), side.targets)
        if value < least - 1e-4:
            best, least, scores = vote, value, found
    stacks = {
        "zero_shot": fit_stack(zero, ("zero_shot",), side.targets),
        "vote": fit_stack(scores, MEMORY, side.targets),
    }
    predictor = replace(base, vote=best, stacks=stacks)
    return finish(predictor, {**zero, **scores}, side, data.settings.seed)


def fit_dual(
    data: MatchFitData, vote: MatchPredictor, work: Path, show: bool | None
) -> tuple[MatchPredictor, list[tuple[float, float]], float, int]:
    """A match predictor with a dual encoder: two heads on frozen features, trained by contrast.

    Args:
        data: to fit on.
        vote: the level below.
        work: folder of the state from which an interrupted fit continues.
        show: progress bars.

    Returns:
        The predictor; the validation score after each epoch; seconds; how many parameters learned.
    """
    trained, curve, seconds = _train(data, data.splits.train, work / "dual", show)
    heads = trained.picture_head, trained.text_head
    count = sum(
        array.size
        for head in heads
        for name, array in head.arrays().items()
        if name not in ("mean", "scale")
    )
    predictor = replace(vote, picture_head=heads[0], text_head=heads[1])
    return stacked(data, predictor), curve, seconds, count


@dataclass(frozen=True, eq=False)
class Unseen:
    """What dual encoders say of training pairs that they have not seen.

    Args:
        fold: of each training picture, (n,).
        seen: training pictures, each by the heads that were trained without its fold, (n, d).
        read: all texts by the heads trained without each fold, (folds, t, d).
    """

    fold: Ints
    seen: Array
    read: Array


def fit_unseen(data: MatchFitData, dual: MatchPredictor, work: Path, show: bool | None) -> Unseen:
    """Dual encoders that have each left a half of the training pictures out.

    One that knows a pair by heart is surer of it than it will be of any other; what is built upon
    it would learn to add nothing. With a handful of pictures there are no halves.
    """
    chosen, pairs = data.splits.train, data.pairs
    features = pairs.features[chosen]
    assert dual.picture_head is not None
    assert dual.text_head is not None
    fold = np.zeros(len(chosen), np.int64)
    if len(chosen) < HALVED:
        return Unseen(fold, dual.picture_head(features), dual.text_head(data.vectors)[None])
    seen, read = [], []
    halves = fold_of_groups(pairs.groups[chosen], 2, data.settings.seed)
    for number, half in enumerate(halves):
        fold[half] = number
        rest = np.setdiff1d(chosen, chosen[half])
        heads = _train(data, rest, work / f"dual-{number}", show)[0]
        seen.append(heads.picture_head(features))
        read.append(heads.text_head(data.vectors))
    return Unseen(fold, np.where(fold[:, None] == 0, seen[0], seen[1]), np.stack(read))


def _train(
    data: MatchFitData, pictures: Ints, folder: Path, show: bool | None
) -> tuple[TrainedEncoder, list[tuple[float, float]], float]:
    """Heads for these pictures and their texts, with a hidden layer."""
    from ravl.training.dual_encoder.material import TrainingInputs
    from ravl.training.dual_encoder.settings import RetrieverSettings
    from ravl.training.dual_encoder.train import PairSplits, train_heads

    (folder / "work").mkdir(parents=True, exist_ok=True)
    splits = PairSplits(pictures, data.splits.validation, data.splits.test)
    settings = RetrieverSettings(seed=data.settings.seed, epochs=EPOCHS, hidden=HIDDEN)
    material = TrainingInputs(data.pairs, data.vectors)
    return train_heads(material, splits, data.base, folder, settings, show)


def stacked(data: MatchFitData, predictor: MatchPredictor) -> MatchPredictor:
    """With its stacks: the model alone, which is shown no neighbours, and model and memory."""
    side, row_texts = data.validation, data.row_texts
    alone = predictor.from_model(side.asked)
    names = tuple(alone)
    together = predictor.from_memory(side.clues, row_texts)[0]
    if predictor.reader is None:
        together |= alone
    else:
        together |= predictor.from_model(
            side.asked, side.clues.neighbours, predictor.evidence(row_texts)
        )
    stacks = {
        **predictor.stacks,
        "alone": fit_stack(alone, names, side.targets),
        "both": fit_stack(together, (*names, *MEMORY), side.targets),
    }
    predictor = replace(predictor, stacks=stacks)
    seed = data.settings.seed
    limit = best_threshold(out_of_fold(alone, names, side, seed), side.targets)
    predictor = replace(predictor, thresholds={**predictor.thresholds, "alone": limit})
    return finish(predictor, together, side, seed)


def finish(
    predictor: MatchPredictor, scores: Mapping[str, Array], side: HeldPairs, seed: int
) -> MatchPredictor:
    """With the threshold of its last stack, and the calibration for abstaining."""
    name = "both" if "both" in predictor.stacks else "vote"
    found = out_of_fold(scores, predictor.stacks[name].names, side, seed)
    limit = best_threshold(found, side.targets)
    confidence, right = confidences(BINARY, found, side.targets, limit)
    return replace(
        predictor,
        thresholds={**predictor.thresholds, name: limit},
        calibration=RiskCalibrator.of(confidence, right),
    )


def out_of_fold(
    scores: Mapping[str, Array], names: Sequence[str], side: HeldPairs, seed: int
) -> Array:
    """Probabilities (n,) by stacks that have not seen the pair's picture."""
    found = np.full(len(side), EVEN, np.float32)
    folds = fold_of_groups(side.groups, min(FOLDS, len(np.unique(side.groups))), seed)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(side)), fold)
        if not len(rest):
            continue
        stack = fit_stack({n: scores[n][rest] for n in names}, names, side.targets[rest])
        found[fold] = stack.probabilities({n: scores[n][fold] for n in names})
    return found


def best_threshold(found: Array, targets: Ints) -> float:
    """The probability from which a pair fits, by accuracy.

    One half, unless another is better by more than a standard error: of few pairs it is chance.
    """
    rates = [((found >= limit) == targets).mean() for limit in LIMITS]
    half = ((found >= EVEN) == targets).mean()
    best = int(np.argmax(rates))
    error = 0.5 / np.sqrt(len(targets))
    return float(LIMITS[best]) if rates[best] > half + error else EVEN


def log_loss(found: NDArray[np.floating], targets: Ints) -> float:
    """Mean negative log-likelihood of the targets."""
    p = np.clip(found, TINY, 1 - TINY)
    return float(-np.where(targets == 1, np.log(p), np.log(1 - p)).mean())


def _votes(data: MatchFitData) -> list[Vote]:
    k = data.settings.k
    ks = [k] if k else [n for n in KS if n <= max(len(data.datastore), KS[0])]
    return [Vote(n, temperature) for n in ks for temperature in TEMPERATURES]
