"""The levels below the fusion model: the vote, the linear head, and the gate that mixes them.

All that is chosen here (the vote's k, the head's weight decay, the gate, thresholds) is chosen on
examples that did not see themselves: training examples by leaving their group out, and the
validation part. The test part is not looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.models.class_means import ClassMeans
from ravl.models.gate import fit_gate, probabilities
from ravl.models.held_out import log_loss, temperature_of, vote_gate, with_floor
from ravl.models.linear import DECAYS, HeadFit, LinearHead, fold_of_groups
from ravl.models.vote import KS, TEMPERATURES, Vote
from ravl.tasks.labels.calibrating import best_means, calibrated
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.predictor import LabelPredictor, Queries, with_means
from ravl.tasks.labels.votes import LabelMatrix

FOLDS = 5
FEW_FOLDS, MANY = 3, 5000  # folds where there are more examples than that
MUCH = 1_000_000  # examples times labels, fewer folds too: hundreds of answers take minutes
BALANCES = (0.0, 0.25, 0.5)
SPREAD_FROM = 0.2  # share of rows without a label from which propagation is tried
NAMED = 100  # examples of a named validation part that are enough to choose by
RIDGES = (0.5, 1.0)  # parts of the vote that go by the neighbours' weights


def train_plus_validation(data: FitData) -> Split:
    """Training and validation examples one after the other: what is chosen by."""
    a, b = data.train, data.validation
    examples = replace(
        a.examples,
        rows=[*a.examples.rows, *b.examples.rows],
        features=np.vstack([a.examples.features, b.examples.features]),
        groups=np.concatenate([a.examples.groups, b.examples.groups]),
        shown=[*a.examples.shown, *b.examples.shown],
    )
    tuned = None
    if a.queries.tuned is not None and b.queries.tuned is not None:
        tuned = np.vstack([a.queries.tuned, b.queries.tuned])
    return Split(
        examples,
        Queries(examples.features, tuned),
        np.vstack([a.targets, b.targets]),
        a.neighbours.concat(b.neighbours),
        a.wide.concat(b.wide),
        None if a.scores is None or b.scores is None else np.vstack([a.scores, b.scores]),
    )


def choosing_split(data: FitData) -> Split:
    """The examples that choose: training and validation, each without itself.

    A validation part that the user named chooses alone: it is as hard as use will be, which
    pictures of the training part may not be, such as those of one burst.
    """
    if data.splits.named_validation and len(data.validation) >= NAMED:
        return data.validation
    return train_plus_validation(data)


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


def fit_linear(data: FitData, vote: LabelPredictor) -> LabelPredictor:
    """The head, and the level that it makes with the vote."""
    return linear_level(data, vote, *fit_head(data))


def linear_level(
    data: FitData, vote: LabelPredictor, head: LinearHead, logits: Array | None = None
) -> LabelPredictor:
    """A predictor with a linear head and a gate that is fitted on examples they did not see.

    Args:
        data: to fit on.
        vote: the level below.
        head: of the model.
        logits: see :func:`fit_head`; None for a head that came with a fine-tuned tower: then only
            validation examples are unseen.
    """
    side = choosing_split(data)
    if logits is None:
        side = data.validation
        logits = head(side.queries.seen)
    logits = logits[-len(side) :]  # of the validation part, where it chooses alone
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


def fit_head(data: FitData) -> tuple[LinearHead, Array]:
    """The head whose weight decay is best out of fold, and logits that did not see their example.

    They are of the training examples and those of validation after them, (n, C). Validation
    examples are unseen by every fold's head; theirs are the mean of all folds'.
    """
    side = train_plus_validation(data)
    train, held = data.train, data.validation
    x, y = train.queries.seen, train.targets
    few = len(train) > MANY or y.size > MUCH
    folds = fold_of_groups(train.examples.groups, FEW_FOLDS if few else FOLDS, data.settings.seed)
    folds = [fold for fold in folds if 0 < len(fold) < len(train)]
    rests = [np.setdiff1d(np.arange(len(train)), fold) for fold in folds]
    made = data.task.standard
    fits = [HeadFit(x[rest], y[rest], data.loss, made(x[rest])) for rest in rests]
    task, least, best = data.task, np.inf, DECAYS[0]
    judged = slice(-len(choosing_split(data)), None)  # the examples that choose
    best_logits: Array = np.zeros((0, 0), np.float32)
    for decay in DECAYS:
        logits = np.zeros((len(side), y.shape[1]), np.float32)
        for fold, fit in zip(folds, fits, strict=True):
            fitted = fit(decay)
            logits[fold] = fitted(x[fold])
            logits[len(train) :] += fitted(held.queries.seen) / len(folds)
        some, targets = logits[judged], side.targets[judged]
        warmth = temperature_of(some, targets, task.exclusive)
        value = log_loss(probabilities(some / warmth, task.exclusive), targets, task.exclusive)
        if value >= least:
            break
        least, best, best_logits = value, decay, logits
    whole = HeadFit(x, y, data.loss, made(x))
    for decay in DECAYS[: DECAYS.index(best) + 1]:
        fitted = whole(decay)
    return fitted, best_logits


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
    travels through the graph, so that a fold's labels are hidden while it is propagated.
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
