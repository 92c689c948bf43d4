"""Labels and tags from a memory alone: its own rows are the classifier, and nothing is fitted.

Keys are whitened by the covariance within the memory's labels, and its class means answer beside
the vote; or labels are propagated to the rows that have none. What is best is chosen on rows that
do not see themselves: the rows of each fold are answered by the rows of the other folds. All in
closed form, in seconds. An edit counts at once in vote and means; the covariance is measured again
when a fifth of the rows has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ravl.encoders.base import Array, normalise
from ravl.errors import DataError
from ravl.kept import fitted
from ravl.memory import Memory
from ravl.models.class_means import KeySums
from ravl.models.held_out import log_loss, vote_gate
from ravl.models.linear import fold_of_groups
from ravl.models.propagation import SPREAD_FROM, propagate
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import MemoryProjection, projection_of, substantial
from ravl.store.top_k import top_k
from ravl.tasks.labels.calibrating import best_means, calibrated
from ravl.tasks.labels.files import kept, of_kept
from ravl.tasks.labels.keys.whitening import DIRECTIONS, FEWEST, SHRINKAGES, Whitening
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.row_labels import RowLabels, columns_of, labels_of
from ravl.tasks.labels.targets import LabelTargets

FOLDS = 5
MOST = 20_000  # labelled rows that it is measured on
SHRINKAGE = 0.2  # of whitened keys then
VOTE = Vote(16, 0.08)


@dataclass(frozen=True, eq=False)
class Labelled:
    """The rows that say something.

    Args:
        features: (n, F).
        table: what they say, (n, C).
        groups: near-duplicates have one number, (n,).
        exclusive: True for one label a row, False for tags.
    """

    features: Array
    table: Array
    groups: Ints
    exclusive: bool


def measured(
    view: View, said: RowLabels, plain_keys: KeyProjection, task: LabelTargets
) -> LabelPredictor:
    """The predictor of a memory without a run.

    Args:
        view: of the memory.
        said: what its rows say.
        plain_keys: of its features.
        task: classify or tag.

    Raises:
        DataError: the rows have too few labels to tell anything apart.
    """
    names, places = columns_of(said, [])
    if len(names) < (2 if task.exclusive else 1):
        raise DataError(_too_few(task, names))
    speaks = np.flatnonzero(said.speaks)
    some = speaks[:: max(1, -(-len(speaks) // MOST))]
    table = said.table(some, places, len(names))
    found = Labelled(view.features[some], table, view.groups[some], task.exclusive)
    plain = LabelPredictor.of_vote(task, names, plain_keys, VOTE)
    folds = [fold for fold in fold_of_groups(found.groups, FOLDS, 0) if len(fold)]
    if len(some) < FEWEST or len(folds) < 2:
        return plain
    silent = np.flatnonzero(said.speaks == 0)
    others = np.zeros((0, found.features.shape[1]), np.float32)
    if task.exclusive and len(silent) >= SPREAD_FROM * len(view):
        others = view.features[silent[:: -(-len(silent) // MOST)]]
    parts = (task, names, found.features, table, found.groups, others, plain_keys.directions)
    return of_kept(
        fitted(len(view), parts, lambda: kept(_best(plain, found, folds, others, view))), task
    )


def _best(
    plain: LabelPredictor, found: Labelled, folds: Sequence[Ints], others: Array, view: View
) -> LabelPredictor:
    """The predictor with the least log loss out of fold.

    Args:
        plain: votes by keys that are not whitened.
        found: the rows that say something.
        folds: positions of those that are answered together.
        others: features of rows without a label that labels are propagated to; none for not at all.
        view: of the memory.
    """
    keys = projection_of(view, DIRECTIONS)
    splits = [(np.setdiff1d(np.arange(len(found.table)), fold), fold) for fold in folds]
    x = keys.project(found.features)
    by_fold = [Whitening.of_projected(keys, x[rest], found.table[rest]) for rest, _ in splits]
    whole = Whitening.of_projected(keys, x, found.table)
    own = plain.keys(found.features)
    tried = [_judged(plain, found, splits, [own] * len(splits))]
    for shrinkage in SHRINKAGES:
        whitened = replace(plain, keys=whole.with_shrinkage(shrinkage))
        rotated = (normalise(x @ part.matrix(shrinkage)) for part in by_fold)
        tried.append(_judged(whitened, found, splits, rotated))
    if len(others):
        tried += _spread(plain, found, np.vstack([found.features, others]), folds)
    return min(tried, key=lambda each: each[0])[1]


def _judged(
    plain: LabelPredictor,
    found: Labelled,
    splits: Sequence[tuple[Ints, Ints]],
    keys: Iterable[Array],
) -> tuple[float, LabelPredictor]:
    """A predictor with the class means that are best out of fold, and its log loss there.

    Args:
        plain: the predictor, without means.
        found: the rows that say something.
        splits: of each fold the positions of rows that answer, and of those that are answered.
        keys: of all rows for each fold, (n, d), by a projection that has not seen the labels of
            those that are answered.
    """
    votes, scores = np.zeros_like(found.table), np.zeros_like(found.table)
    for (rest, fold), its in zip(splits, keys, strict=True):
        similarity, positions = top_k(its[rest], its[fold], VOTE.k, None)
        votes[fold] = VOTE(Neighbours(positions, similarity), found.table[rest])
        scores[fold] = KeySums.of(its[rest], found.table[rest]).scores(its[fold], found.exclusive)
    counts, rows = found.table.sum(0), float(len(found.table))
    means, weight, votes = best_means(votes, scores, found.table, counts, rows, found.exclusive)
    return _with_gate(replace(plain, means=means, means_weight=weight), found, votes)


def _spread(
    plain: LabelPredictor, found: Labelled, every: Array, folds: Sequence[Ints]
) -> list[tuple[float, LabelPredictor]]:
    """Predictors that propagate labels to rows without one: by plain keys, and by whitened ones.

    Args:
        plain: the predictor, without means.
        found: n rows that say something.
        every: features of these, and of m rows without a label after them, (n + m, F).
        folds: positions of those that are answered together; their labels are hidden then.
    """
    table = np.zeros((len(every), found.table.shape[1]), np.float32)
    table[: len(found.table)] = found.table
    seen = [_hidden(table, fold) for fold in folds]
    own = plain.keys(every)
    first = [_Spread(plain.keys, own, labels) for labels in (*seen, table)]
    second = [_Spread.whitened(each, every) for each in first]
    return [_judged_spread(plain, found, folds, its) for its in (first, second)]


def _hidden(table: Array, fold: Ints) -> Array:
    found = table.copy()
    found[fold] = 0
    return found


class _Spread:
    """Labels that were propagated by some keys.

    Args:
        projection: that gives the keys.
        keys: of all rows, (n + m, d).
        seen: labels that may be seen, (n + m, C).
    """

    def __init__(self, projection: KeyProjection, keys: Array, seen: Array) -> None:
        self.projection, self.keys, self.seen = projection, keys, seen
        self.shares, self.worth = propagate(keys, seen)

    @classmethod
    def whitened(cls, plain: _Spread, every: Array) -> _Spread:
        """By keys that are whitened by the labels that plain ones propagated."""
        weighted = plain.shares * plain.worth[:, None]
        keys = Whitening.of(plain.projection, every, weighted).with_shrinkage(SHRINKAGE)
        return cls(keys, keys(every), plain.seen)


def _judged_spread(
    plain: LabelPredictor, found: Labelled, folds: Sequence[Ints], spread: Sequence[_Spread]
) -> tuple[float, LabelPredictor]:
    """A predictor that propagates labels, and its log loss out of fold.

    Args:
        plain: the predictor, without means.
        found: n rows that say something.
        folds: positions of those that are answered together.
        spread: what was propagated without the labels of each fold, and last with all labels.
    """
    votes, scores = np.zeros_like(found.table), np.zeros_like(found.table)
    *by_fold, whole = spread
    for fold, its in zip(folds, by_fold, strict=True):
        others = np.setdiff1d(np.arange(len(its.keys)), fold)
        similarity, positions = top_k(its.keys[others], its.keys[fold], VOTE.k, None)
        shares, worth = its.shares[others], its.worth[others]
        votes[fold] = VOTE(Neighbours(positions, similarity), shares, worth)
        sums = KeySums.of(its.keys[others], shares * worth[:, None])
        scores[fold] = sums.scores(its.keys[fold], found.exclusive)
    counts = (whole.shares * whole.worth[:, None]).sum(0)
    rows, exclusive = float(counts.sum()), found.exclusive
    means, weight, votes = best_means(votes, scores, found.table, counts, rows, exclusive)
    chosen = replace(plain, keys=whole.projection, spread=True, means=means, means_weight=weight)
    return _with_gate(chosen, found, votes)


def _with_gate(
    predictor: LabelPredictor, found: Labelled, votes: Array
) -> tuple[float, LabelPredictor]:
    """A predictor with gate and calibration, and its log loss, by votes (n, C) out of fold."""
    gate = vote_gate(votes, found.table, found.exclusive)
    smooth = gate.smoothed_votes(votes)
    loss = log_loss(smooth, found.table, found.exclusive)
    truth = found.table.argmax(1) if found.exclusive else found.table.astype(np.int64)
    predictor = replace(predictor, gate=gate, vote_gate=gate)
    return loss, calibrated(predictor, smooth, found.table, truth)


class MemoryPredictor(Followed[LabelPredictor]):
    """The predictor of a memory that changes."""

    def __init__(self, memory: Memory, task: LabelTargets) -> None:
        super().__init__()
        self._task = task
        self._said = labels_of(memory, task)
        self._keys = memory.live.shared("projection", MemoryProjection)
        self._measured: View | None = None

    def follow(self, known: tuple[View, LabelPredictor] | None, view: View) -> LabelPredictor:
        """The predictor as it was, or measured again."""
        if known is not None and self._measured is not None:
            edits = view.edit_since(self._measured), view.seen_since(self._measured)
            if not any(substantial(edit, len(view)) for edit in edits):
                return known[1]
        found = measured(view, self._said.at(view), self._keys.at(view), self._task)
        self._measured = view
        return found


def memory_predictor(memory: Memory, task: LabelTargets) -> MemoryPredictor:
    """The predictor of a memory without a run, shared by all that answer from it."""
    return memory.live.shared(("untrained", task), lambda: MemoryPredictor(memory, task))


def _too_few(task: LabelTargets, names: Sequence[str]) -> str:
    noun, command = task.noun, task.name
    said = f"All rows have the {noun} {names[0]!r}" if names else f"No row has a {noun}"
    return (
        f"{said}, so the memory alone cannot tell {noun}s apart. Give rows of the memory {noun}s, "
        f"or name what to choose from: ravl {command} MEMORY PICTURES --label NAME --label NAME"
    )
