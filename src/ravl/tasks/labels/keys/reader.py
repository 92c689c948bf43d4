"""What a trained reader prefers to read, to be distilled into the keys.

The preference for a neighbour is how much likelier the right answer becomes by reading it alone
than by reading nothing; plain likelihood would credit neighbours that did not help (perplexity
distillation: Izacard et al. 2022, "Atlas"; against reading nothing: our pilot).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.gate import probabilities
from ravl.retrieval.datastore import Neighbours
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.keys.learned import Preferences
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.votes import LabelMatrix

EXAMPLES = 1000  # of training, at most, whose reader is asked
NEAREST, EVERY = 16, 2  # neighbours of each that it is asked about, and of these every second
TINY = 1e-6


def reader_preferences(data: FitData, fusion: LabelPredictor, unseen: Array | None) -> Preferences:
    """Ask a reader about the neighbours of training examples, one at a time.

    Args:
        data: with the keys that the reader was trained with.
        fusion: the predictor that has it.
        unseen: base logits (n, C) of the training examples by heads that have not seen them; None
            to let the base answer.
    """
    reader, head = fusion.reader, fusion.head
    assert reader is not None
    assert head is not None
    side = data.train
    neighbours = side.seen(fusion.spread).first(NEAREST)
    neighbours = Neighbours(neighbours.positions[:, ::EVERY], neighbours.similarity[:, ::EVERY])
    chosen = np.random.default_rng(data.settings.seed).permutation(len(side))[:EXAMPLES]
    seen, targets = head.standard(side.queries.seen[chosen]), side.targets[chosen]
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels, fusion.spread)
    evidence = EvidenceArrays.of(
        label_matrix, fusion.standard(data.datastore.features), data.memory, data.task
    )
    known: Array | float = 0.0 if unseen is None else unseen[chosen] - reader.base(seen)

    def likelihood(one: Neighbours | None) -> Array:
        logits = reader(seen, one, evidence if one is not None else None) + known
        return log_likelihood(logits, targets, data.task.exclusive)

    alone = likelihood(None)
    asked = neighbours.take(chosen)
    gains = np.stack(
        [
            likelihood(Neighbours(asked.positions[:, [j]], asked.similarity[:, [j]])) - alone
            for j in range(asked.positions.shape[1])
        ],
        axis=1,
    )  # (n', m)
    shares = np.zeros(neighbours.positions.shape, np.float32)
    weights = np.zeros(len(side), np.float32)
    shares[chosen], weights[chosen] = preferred_shares(gains, asked.found)
    return Preferences(neighbours.positions, shares, weights)


def log_likelihood(logits: Array, targets: Array, exclusive: bool) -> Array:
    """Of what is true of each example, (n,): of its label, or of all tags together."""
    p = np.clip(probabilities(logits, exclusive), TINY, 1 - TINY)
    each = (
        targets * np.log(p) if exclusive else (targets * np.log(p) + (1 - targets) * np.log(1 - p))
    )
    found: Array = each.sum(1)
    return found


def preferred_shares(gains: Array, found: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Gains in log-likelihood (n, m) as shares (n, m), and how much the reader cares (n,).

    Shares are the softmax of the gains in standard deviations of each example; the example counts
    by that deviation. A reader that is indifferent would otherwise teach all neighbours to be
    equally like, which is no preference.
    """
    count = np.maximum(found.sum(1, keepdims=True), 1)
    mean = np.where(found, gains, 0).sum(1, keepdims=True) / count
    away = np.where(found, gains - mean, 0)
    spread = np.sqrt((away**2).sum(1, keepdims=True) / count)
    odds = np.where(found, np.exp(away / np.maximum(spread, TINY)), 0)
    shares = odds / np.maximum(odds.sum(1, keepdims=True), 1e-9)
    return shares.astype(np.float32), spread[:, 0].astype(np.float32)
