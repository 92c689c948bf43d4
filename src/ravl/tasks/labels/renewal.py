"""A run whose memory has changed much since the fit: what the memory says is measured again.

The head stays as it was fitted. Keys, vote and class means are then those that the memory has
without a run, by the labels that it holds now; the gate is fitted again on rows that the head has
not learned from, which tell how far head and memory are right today. All in closed form, when a
fifth of the labels has changed, and again after each further fifth. Smaller edits count in the
vote and in the class means alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.models.gate import Gate, fit_gate
from ravl.models.held_out import vote_gate, with_floor
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import CHANGED
from ravl.runs.learned import learned_hashes
from ravl.runs.run import Run
from ravl.tasks.labels.calibrating import calibrated
from ravl.tasks.labels.files import load_label_predictor
from ravl.tasks.labels.live import LabelSource, LiveLabels
from ravl.tasks.labels.predictor import LabelPredictor, Queries
from ravl.tasks.labels.row_labels import columns_of, labels_of
from ravl.tasks.labels.targets import LabelTargets

FEWEST = 100  # rows that the head has not learned from, by which the gate is fitted again
MOST = 2_000  # of these rows that are looked at

Learned = Callable[[], frozenset[str] | None]


class Renewal(Followed[LabelPredictor]):
    """The predictor of a run, by the present memory.

    Args:
        fitted: the predictor of the run; its ``memory_counts`` say what the memory held then.
        memory: to answer from.
        learned: gives the hashes of the pictures that the run was fitted to; None if it is not
            known.
        untrained: gives the predictor that the memory has without a run, the same object as long
            as it does not change.
    """

    def __init__(
        self,
        fitted: LabelPredictor,
        memory: Memory,
        learned: Learned,
        untrained: Callable[[View], LabelPredictor],
    ) -> None:
        super().__init__()
        self._fitted, self._memory = fitted, memory
        self._learned, self._untrained = learned, untrained
        self._rows = labels_of(memory, fitted.task)
        self._base: LabelPredictor | None = None

    def follow(self, known: tuple[View, LabelPredictor] | None, view: View) -> LabelPredictor:
        """As it was fitted, as it was renewed before, or renewed."""
        if not self._outgrown(view):
            self._base = None
            return self._fitted
        try:
            base = self._untrained(view)
        except DataError:  # too few labels are left to measure anything
            self._base = None
            return self._fitted
        if known is not None and base is self._base:
            return known[1]
        self._base = base
        return self._renewed(base, view)

    def _outgrown(self, view: View) -> bool:
        """Whether a good part of the memory's labels has come or gone since the fit."""
        then, found = self._fitted.memory_counts, self._rows.at(view)
        names, places = columns_of(found, self._fitted.labels)
        now = found.counts_at(places, len(names))
        changed = np.abs(now[: len(then)] - then).sum() + now[len(then) :].sum()
        return bool(changed > CHANGED * max(float(then.sum()), 1.0))

    def _renewed(self, base: LabelPredictor, view: View) -> LabelPredictor:
        fitted = self._fitted
        predictor = replace(
            fitted,
            keys=base.keys,
            vote=base.vote,
            means=base.means,
            means_weight=base.means_weight,
            spread=base.spread,
            vote_gate=replace(fitted.vote_gate, smoothing=base.vote_gate.smoothing),
        )
        labels = LabelSource.of(predictor, self._memory).at(view)
        rows = self._unseen(view, labels)
        if not base.spread and _enough(rows, labels):
            return _with_gate(predictor, labels, rows)
        if base.calibration is None:  # nothing tells how sure its answers are
            return fitted
        if predictor.head is None:
            return replace(predictor, gate=predictor.vote_gate, calibration=base.calibration)
        return predictor  # its gate knows how many rows the memory had, and has

    def _unseen(self, view: View, labels: LiveLabels) -> Ints:
        """Rows with a label of the head whose pictures it has not learned from, nor their like."""
        learned = self._learned()
        if learned is None:
            return np.zeros(0, np.int64)
        rows = np.flatnonzero(labels.worth)
        seen = np.array([row.hash in learned for row in view.rows_at(rows)], bool)
        fresh = rows[~np.isin(view.groups[rows], view.groups[rows[seen]])]
        fresh = fresh[:: max(1, -(-len(fresh) // MOST))]
        return fresh[labels.table[fresh][:, : labels.known].any(1)]


def fitted_and_renewed(
    run: Run,
    memory: Memory,
    untrained: Callable[[View], LabelPredictor],
    targets: type[LabelTargets] = LabelTargets,
) -> tuple[LabelPredictor, Renewal | None]:
    """The predictor of a run, and what renews it; None for a run that stays as it was fitted.

    Args:
        run: to be loaded.
        memory: to answer from.
        untrained: see :class:`Renewal`.
        targets: the class of what rows say for its task.

    Raises:
        DataError: a file of the run is damaged, or lacks something.
    """
    fitted = load_label_predictor(run, targets)
    if not len(fitted.memory_counts):
        return fitted, None
    return fitted, Renewal(fitted, memory, lambda: learned_hashes(run), untrained)


def _enough(rows: Ints, labels: LiveLabels) -> bool:
    """Whether the gate can be fitted by these rows: they are many, and of most labels."""
    if len(rows) < FEWEST:
        return False
    given = labels.table[rows][:, : labels.known].any(0)
    return bool(given.sum() >= (labels.own_counts[: labels.known] > 0).sum() / 2)


def _with_gate(predictor: LabelPredictor, labels: LiveLabels, rows: Ints) -> LabelPredictor:
    """With gate and calibration by rows that the head has not learned from, each without itself."""
    exclusive, known = predictor.task.exclusive, labels.known
    datastore, targets = labels.datastore, labels.table[rows][:, : labels.known]
    queries = Queries(datastore.features_at(rows))
    hidden = [datastore.groups[rows[i : i + 1]] for i in range(len(rows))]
    neighbours = predictor.neighbours(queries, labels, None, hidden)
    votes = predictor.votes(queries, labels, neighbours, hidden=hidden).votes[:, :known]
    alone = vote_gate(votes, targets, exclusive)
    gate = replace(alone, counts=labels.own_counts[:known])
    found: Array = alone.smoothed_votes(votes)
    if predictor.head is not None:
        gate, found = _mixed(predictor, votes, queries, neighbours.best_similarity, targets)
        gate = replace(gate, counts=labels.own_counts[:known], growth=predictor.gate.growth)
    truth = targets.argmax(1) if exclusive else targets.astype(np.int64)
    return calibrated(replace(predictor, gate=gate, vote_gate=alone), found, targets, truth)


def _mixed(
    predictor: LabelPredictor, votes: Array, queries: Queries, similarity: Array, targets: Array
) -> tuple[Gate, Array]:
    """The gate of votes and head, and its answers (n, C)."""
    logits = predictor.logits(queries)
    gate = fit_gate(votes, logits, similarity, targets, predictor.task.exclusive)
    if predictor.means is not None:
        gate = with_floor(gate, votes, logits, similarity, targets)
    return gate, gate(votes, logits, similarity)[0]
