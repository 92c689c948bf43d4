"""The expected label of a row, by a linear head and neighbours that have not seen it."""

from __future__ import annotations

import numpy as np

from ravl.checking.check_data import CheckData
from ravl.encoders.base import Array
from ravl.models.gate import probabilities
from ravl.models.linear import DECAYS, HeadFit, Loss, Standardizer, fold_of_groups
from ravl.models.vote import Vote

FOLDS, FEW_FOLDS, MANY = 5, 3, 5000  # with more rows, fewer folds are used
WARM = 0.08  # temperature of the vote: high, so that a single wrong neighbour counts little
DOUBT = 0.01  # added to both probabilities, so that neither can exclude a label alone
MUCH = 100_000  # rows times labels; above this the head uses keys, which is five times faster
TOO_MUCH = 1_000_000  # rows times labels; above this only neighbours are used


def beliefs(data: CheckData) -> Array:
    """Probability of each label for each row, (N, C); rows sum to 1, or to 0 if nothing is known.

    The geometric mean of two predictions that did not use the labels of the row and of its
    near-duplicates: a linear head on the frozen features, fitted on other folds, and the vote of
    the nearest rows. A label is likely if both agree.
    """
    if not data.labels:
        return np.zeros((len(data), 0), np.float32)
    votes: Array = Vote(temperature=WARM)(
        data.neighbours, label_matrix(data), (data.label >= 0) * np.float32(1)
    )
    head = _unseen(data)
    if head is None:
        return votes
    voted = votes.sum(1, keepdims=True) > 0
    both: Array = np.sqrt((head + DOUBT) * (np.where(voted, votes, head) + DOUBT))
    both /= both.sum(1, keepdims=True)
    return both


def label_matrix(data: CheckData) -> Array:
    """1 for the label of each row, (N, C)."""
    found: Array = np.equal(data.label[:, None], np.arange(len(data.labels))).astype(np.float32)
    return found


def _unseen(data: CheckData) -> Array | None:
    """The head's out-of-fold probabilities of each row, (N, C); None if it would be too slow.

    The weight decay has the best log loss on unseen labels.
    """
    known = np.flatnonzero(data.label >= 0)
    groups, count = data.datastore.groups[known], len(data.labels)
    folds = fold_of_groups(groups, FEW_FOLDS if len(known) > MANY else FOLDS, 0)
    folds = [fold for fold in folds if 0 < len(fold) < len(known)]
    if len(known) * count > TOO_MUCH or len(folds) < 2:
        return None
    seen = data.datastore.features if len(known) * count <= MUCH else data.datastore.keys
    x, y = seen[known], label_matrix(data)[known]
    rests = [np.setdiff1d(np.arange(len(known)), fold) for fold in folds]
    fits = [HeadFit(x[rest], y[rest], Loss(True), Standardizer.of(x[rest])) for rest in rests]
    best, least = np.zeros((len(data), count), np.float32), np.inf
    for decay in DECAYS:
        found = np.zeros_like(best)
        for fold, fit in zip(folds, fits, strict=True):
            head = fit(decay)
            found[known[fold]] = probabilities(head(x[fold]), True)
            unlabelled = np.flatnonzero(data.label < 0)
            found[unlabelled] += probabilities(head(seen[unlabelled]), True) / len(folds)
        surprise = -np.log(np.maximum(found[known, data.label[known]], 1e-9)).mean()
        if surprise >= least:
            break
        best, least = found, surprise
    return best
