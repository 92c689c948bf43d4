"""How much more the memory's answer is worth when the memory grows, measured on smaller memories.

A head stays as it was fitted, the memory goes on growing. The validation split is answered from
half and from a quarter of the memory beside the same head: how the best weight of the memory
changes from one to the other is what the gate goes by later, in smaller and in larger memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.gate import Gate
from ravl.models.held_out import losses_of
from ravl.tasks.labels.dataset import FitData, seen_by
from ravl.tasks.labels.predictor import LabelPredictor, with_means
from ravl.tasks.labels.votes import LabelMatrix

GROWTHS = np.linspace(0, 3, 25)  # exponents that are tried
SHARES = (1.0, 0.5, 0.25)  # of the memory's rows
USUAL = 1.0  # exponent that is expected before anything was measured
BELIEF = 4.0  # examples that this expectation is worth


@dataclass(frozen=True, eq=False)
class Sized:
    """What a memory of some size answers to the validation split.

    Args:
        votes: (n, C).
        similarity: of the nearest neighbour, (n,).
        counts: rows of each label, (C,).
    """

    votes: Array
    similarity: Array
    counts: Array


def known_counts(data: FitData) -> Array:
    """How many rows of the datastore have each label that the model knows, (C,)."""
    matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    return matrix.own_counts[: matrix.known]


def with_growth(data: FitData, linear: LabelPredictor, logits: Array | None) -> LabelPredictor:
    """The level whose gate knows how the memory's odds grow with the memory's rows.

    Args:
        data: to fit on.
        linear: the level, with its gate.
        logits: see :func:`ravl.tasks.labels.head.fit_head`; None for a tuned tower's head, whose
            validation examples are all unseen.
    """
    matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    gate = replace(linear.gate, counts=matrix.own_counts[: matrix.known])
    if linear.spread:  # labels that travel reach the same rows in a smaller memory: not measured
        return replace(linear, gate=replace(gate, growth=USUAL))
    side = data.validation
    own = linear.logits(side.queries) if logits is None else logits[-len(side) :]
    rng = np.random.default_rng(data.settings.seed)
    order = rng.permutation(len(data.datastore)) / max(len(data.datastore), 1)
    sizes = [_sized(data, linear, matrix, order < share) for share in SHARES]
    growth = best_growth(gate, sizes, own, side.targets)
    return replace(linear, gate=replace(gate, growth=growth))


def best_growth(gate: Gate, sizes: Sequence[Sized], logits: Array, targets: Array) -> float:
    """The exponent under which the targets are likeliest in memories of all sizes.

    Args:
        gate: with the counts of the memory of the fit.
        sizes: answers of the memories.
        logits: of the model, the same beside each of them, (n, C).
        targets: (n, C).
    """

    def loss(growth: float) -> float:
        some = replace(gate, growth=float(growth))
        prior = BELIEF * (growth - USUAL) ** 2 / max(len(targets), 1)
        return _mean_loss(some, sizes, logits, targets) + prior

    return float(min(GROWTHS, key=loss))


def _mean_loss(gate: Gate, sizes: Sequence[Sized], logits: Array, targets: Array) -> float:
    found = [
        losses_of(
            gate(sized.votes, logits, sized.similarity, sized.counts)[0], targets, gate.exclusive
        )
        for sized in sizes
    ]
    every = np.concatenate(found)
    return float(every.mean()) if len(every) else 0.0


def _sized(
    data: FitData, predictor: LabelPredictor, whole: LabelMatrix, kept: NDArray[np.bool_]
) -> Sized:
    """The answers of the rows that are kept, (N,), out of all that a label matrix has."""
    side, known = data.validation, whole.known
    neighbours, _ = seen_by(
        side.examples, data.keys, data.datastore, whole.worth > 0, data.settings.k, kept
    )
    matrix = replace(whole, labels=whole.labels * kept[:, None], worth=whole.worth * kept)
    votes = predictor.vote(neighbours, matrix.labels[:, :known], matrix.worth)
    if predictor.means is not None:
        looked, exclusive = data.keys(side.queries.seen), data.task.exclusive
        own = data.datastore.showing_each(side.examples.shown)
        scores, sums = matrix.scores(looked, exclusive, own)[:, :known], matrix.sums
        answers = predictor.means(scores, sums.counts[:known], sums.rows)
        votes = with_means(votes, answers, predictor.means_weight)
    return Sized(votes, neighbours.best_similarity, matrix.counts[:known])
