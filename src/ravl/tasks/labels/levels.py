"""The levels below the fusion model: the vote, the linear head, and the gate that mixes them.

All that is chosen here (the vote's k, the head's weight decay, the gate, thresholds) is chosen on
examples that did not see themselves: training examples by leaving their group out, and the
validation split. The test split is not looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.models.class_means import ClassMeans
from ravl.models.gate import fit_gate
from ravl.models.held_out import log_loss, temperature_of, vote_gate, with_floor
from ravl.models.linear import LinearHead, fold_of_groups
from ravl.models.propagation import SPREAD_FROM
from ravl.models.vote import KS, TEMPERATURES, Vote
from ravl.tasks.labels.calibrating import best_means, calibrated
from ravl.tasks.labels.choosing_examples import choosing_split, train_plus_validation
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.predictor import LabelPredictor, with_means
from ravl.tasks.labels.votes import LabelMatrix

FOLDS = 5
BALANCES = (0.0, 0.25, 0.5)
RIDGES = (0.5, 1.0)  # parts of the vote that go by the neighbours' weights


def fit_vote(data: FitData) -> LabelPredictor:
    """A predictor that votes: its k, temperature and balance by leaving each group out.

    With whitened keys the class means of the memory answer beside the vote, where that is better.
    """
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    side = choosing_split(data)
    vote = _best_vote(data, side, label_matrix)
    votes = vote(side.neighbours, label_matrix.labels[:, : label_matrix.known], label_matrix.worth)
    means, weight, exclusive = None, 0.0, data.task.exclusive
    if side.scores is not None:
        sums = label_matrix.sums
        counts = sums.counts[: label_matrix.known]
        means, weight, votes = best_means(
            votes, side.scores, side.targets, counts, sums.rows, exclusive
        )
    gate = vote_gate(votes, side.targets, exclusive)
    standard = data.task.standard(data.datastore.features)
    predictor = LabelPredictor(
        data.task,
        data.labels,
        data.keys,
        standard,
        vote,
        gate,
        gate,
        means=means,
        means_weight=weight,
        tuned_keys=data.tuned,
    )
    return finished(predictor, data, side, gate.smoothed_votes(votes))


def _best_vote(data: FitData, side: Split, label_matrix: LabelMatrix) -> Vote:
    """The vote under which the targets are likeliest."""
    neighbours, labels = side.neighbours, label_matrix.labels[:, : label_matrix.known]
    settings, (best, least) = data.settings, (Vote(), np.inf)
    for k in (
        [settings.k] if settings.k else [k for k in KS if k <= max(len(data.datastore), KS[0])]
    ):
        for temperature in TEMPERATURES:
            for balance in BALANCES if data.task.exclusive else (0.0,):
                vote = Vote(k, temperature, class_balance=balance)
                found = vote(neighbours, labels, label_matrix.worth)
                value = log_loss(found, side.targets, data.task.exclusive)
                if value < least - 1e-4:
                    best, least = vote, value
    return best if neighbours.weights is None else _best_ridge(data, side, label_matrix, best)


def _best_ridge(data: FitData, side: Split, label_matrix: LabelMatrix, plain: Vote) -> Vote:
    """The vote, by the neighbours' weights as far as that makes the targets likelier."""
    labels = label_matrix.labels[:, : label_matrix.known]

    def loss(vote: Vote) -> float:
        votes = vote(side.neighbours, labels, label_matrix.worth)
        smooth = vote_gate(votes, side.targets, data.task.exclusive).smoothed_votes(votes)
        return log_loss(smooth, side.targets, data.task.exclusive)

    k = data.settings.k or max(KS)
    return min([plain, *(replace(plain, k=k, ridge=ridge) for ridge in RIDGES)], key=loss)


def means_answers(means: ClassMeans | None, side: Split, label_matrix: LabelMatrix) -> Array | None:
    """Answers (n, C) of the class means to examples that did not see themselves."""
    if means is None or side.scores is None:
        return None
    sums = label_matrix.sums
    return means(side.scores, sums.counts[: label_matrix.known], sums.rows)


def linear_level(
    data: FitData, vote: LabelPredictor, head: LinearHead, logits: Array | None = None
) -> LabelPredictor:
    """A predictor with a linear head and a gate that is fitted on examples they did not see.

    Args:
        data: to fit on.
        vote: the level below.
        head: of the model.
        logits: see :func:`ravl.tasks.labels.head.fit_head`; None for a head that came with a
            fine-tuned tower: then only validation examples are unseen.
    """
    side = choosing_split(data)
    if logits is None:
        side = data.validation
        logits = head(side.queries.seen)
    logits = logits[-len(side) :]  # of the validation split, where it chooses alone
    alone = temperature_of(logits, side.targets, data.task.exclusive)
    best: LabelPredictor | None = None
    least = np.inf
    for spread in _spreads(data):
        votes = _held_votes(data, vote, side, spread)
        nearest = side.seen(spread).best_similarity
        gate = fit_gate(votes, logits, nearest, side.targets, data.task.exclusive)
        if vote.means is not None and not spread:  # means hold where single neighbours are wrong
            gate = with_floor(gate, votes, logits, nearest, side.targets)
        mixed = gate(votes, logits, nearest)[0]
        value = log_loss(mixed, side.targets, data.task.exclusive)
        if best is None or value < least - 1e-3:
            least, predictor = (
                value,
                replace(vote, head=head, gate=gate, alone=alone, spread=spread),
            )
            best = finished(predictor, data, side, mixed)
    assert best is not None
    return best


def _spreads(data: FitData) -> list[bool]:
    """Whether to propagate labels: not, or both ways to be tried."""
    settings, task = data.settings, data.task
    if settings.propagate_labels == "no" or not task.exclusive or data.learned:
        return [False]  # labels that keys were learned from travel too well by them
    if settings.propagate_labels == "yes":
        return [True]
    worth = LabelMatrix.of(data.datastore, task, data.labels).worth
    return [False, True] if (worth == 0).mean() >= SPREAD_FROM else [False]


def held_answers(data: FitData, level: LabelPredictor, side: Split, logits: Array | None) -> Array:
    """Answers (n, C) of a closed-form level to examples that it did not see.

    Args:
        data: that it was fitted on.
        level: the vote, or the linear level.
        side: the examples.
        logits: see :func:`linear_level`.
    """
    votes = _held_votes(data, level, side, level.spread)
    if level.head is None:
        return level.vote_gate.smoothed_votes(votes)
    own = level.logits(side.queries) if logits is None else logits[-len(side) :]
    return level.gate(votes, own, side.seen(level.spread).best_similarity)[0]


def _held_votes(data: FitData, predictor: LabelPredictor, side: Split, spread: bool) -> Array:
    """The memory's answers to examples, (n, C), none of which used the example's own label.

    Without propagation leaving an example's group out of its neighbours is enough. With it a label
    reaches all rows, so that a fold's labels are hidden while it is propagated.
    """
    datastore, task, labels, vote = data.datastore, data.task, data.labels, predictor.vote
    if not spread:
        label_matrix = LabelMatrix.of(datastore, task, labels)
        votes = vote(side.neighbours, label_matrix.labels[:, : len(labels)], label_matrix.worth)
        answers = means_answers(predictor.means, side, label_matrix)
        return with_means(votes, answers, predictor.means_weight)
    votes = np.zeros((len(side), len(labels)), np.float32)
    for fold in fold_of_groups(side.examples.groups, FOLDS, data.settings.seed):
        hidden = np.isin(datastore.groups, side.take(fold).examples.seen_groups())
        label_matrix = LabelMatrix.of(datastore, task, labels, spread=True, hidden=hidden)
        votes[fold] = vote(
            side.wide.take(fold), label_matrix.labels[:, : len(labels)], label_matrix.worth
        )
    return votes


def finished(predictor: LabelPredictor, data: FitData, side: Split, found: Array) -> LabelPredictor:
    """With thresholds and calibration, from probabilities (n, C') of examples that are unseen."""
    return calibrated(predictor, found[:, : len(data.labels)], side.targets, data.truth(side))


def vote_log_loss(data: FitData, vote: Vote) -> float:
    """Mean negative log-likelihood of the held-out examples under a vote.

    Training and validation examples are held out, each without itself and its near-duplicates.
    """
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    side = train_plus_validation(data)
    votes = vote(side.neighbours, label_matrix.labels[:, : label_matrix.known], label_matrix.worth)
    smooth = vote_gate(votes, side.targets, data.task.exclusive).smoothed_votes(votes)
    return log_loss(smooth, side.targets, data.task.exclusive)
