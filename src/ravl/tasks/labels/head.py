"""The linear head: its weight decay is chosen out of fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ravl.encoders.base import Array
from ravl.models.gate import probabilities
from ravl.models.held_out import log_loss, temperature_of
from ravl.models.linear import DECAYS, HeadFit, LinearHead, fold_of_groups
from ravl.retrieval.datastore import Ints
from ravl.tasks.labels.choosing_examples import choosing_split, train_plus_validation
from ravl.tasks.labels.dataset import FitData

FOLDS = 5
FEW_FOLDS, MANY = 3, 5000  # folds where there are more examples than that
MUCH = 1_000_000  # examples times labels, fewer folds too: hundreds of answers take minutes

# Positions of the training examples that a head learns from -> features and targets of more
# examples, of which these alone have been used.
More = Callable[[Ints], tuple[Array, Array]]


def fit_head(data: FitData, more: More | None = None) -> tuple[LinearHead, Array]:
    """The head whose weight decay is best out of fold, and logits that did not see their example.

    They are of the training examples and those of validation after them, (n, C). Validation
    examples are unseen by every fold's head; theirs are the mean of all folds'.

    Args:
        data: to fit on.
        more: examples to learn from beside the training examples; None for none.
    """
    side = train_plus_validation(data)
    train, held = data.train, data.validation
    x, y = train.queries.seen, train.targets
    few = len(train) > MANY or y.size > MUCH
    folds = fold_of_groups(train.examples.groups, FEW_FOLDS if few else FOLDS, data.settings.seed)
    folds = [fold for fold in folds if 0 < len(fold) < len(train)]
    every = np.arange(len(train))
    fits = [_fit(data, np.setdiff1d(every, fold), more) for fold in folds]
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
    return _fit(data, every, more).down_to(best), best_logits


def _fit(data: FitData, some: Ints, more: More | None) -> HeadFit:
    """A fit to some training examples, and to more."""
    x, y = data.train.queries.seen[some], data.train.targets[some]
    standard = data.task.standard(x)
    if more is not None:
        features, targets = more(some)
        x, y = np.vstack([x, features]), np.vstack([y, targets])
    return HeadFit(x, y, data.loss, standard)
