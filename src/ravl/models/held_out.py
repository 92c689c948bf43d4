"""Numbers that are chosen on answers to examples that were not seen.

The smoothing of a vote, the temperature of a model, the least weight of the memory, and the
thresholds of tags.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.gate import NUM_GATE_FEATURES, Gate, probabilities

TINY = 1e-4  # a probability that was 0
FLOORS = (0.75, 0.5, 0.25)  # least weights of the memory that are tried, in this order
MOST_WORSE = 0.02  # mean loss that a floor may cost: of a few examples an error is no measure


def vote_gate(votes: Array, targets: Array, exclusive: bool) -> Gate:
    """The gate of a vote without a model: only its smoothing is fitted."""
    rates = ((targets.sum(0) + 1) / (len(targets) + targets.shape[1])).astype(np.float32)
    if exclusive:
        rates = rates / rates.sum()
    base = Gate(exclusive, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, 0.0, rates)
    floors = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
    values = [
        log_loss(replace(base, smoothing=f).smoothed_votes(votes), targets, exclusive)
        for f in floors
    ]
    return replace(base, smoothing=floors[int(np.argmin(values))])


def temperature_of(logits: Array, targets: Array, exclusive: bool) -> float:
    """The temperature under which unseen examples are likeliest (Guo et al. 2017)."""
    if exclusive and not targets.any():  # no label that the model knows
        return 1.0
    tried = np.geomspace(0.1, 10, 41)
    values = [log_loss(probabilities(logits / t, exclusive), targets, exclusive) for t in tried]
    return float(tried[int(np.argmin(values))])


def best_thresholds(found: Array, targets: Array) -> Array:
    """For each tag the threshold with the best F1 on unseen examples, (T,).

    A tag's own best threshold is drawn to the best common one, the more the rarer it is: of a
    handful of pictures it is chance.
    """
    tried = np.linspace(0.05, 0.95, 37)
    hits = np.stack([((found >= t) & (targets > 0)).sum(0) for t in tried])  # (37, T)
    given = np.stack([(found >= t).sum(0) for t in tried])
    wanted = targets.sum(0)
    together = 2 * hits.sum(1) / np.maximum(given.sum(1) + wanted.sum(), 1)
    common = tried[int(together.argmax())]
    own = tried[(2 * hits / np.maximum(given + wanted, 1)).argmax(0)]
    trust = wanted / (wanted + 20)
    chosen: Array = trust * own + (1 - trust) * common
    return chosen.astype(np.float32)


def with_floor(gate: Gate, votes: Array, logits: Array, similarity: Array, targets: Array) -> Gate:
    """The gate with the largest floor that held-out answers do not speak against.

    Held-out pictures are often of the same series as the training ones, and there a model looks
    surer than it is elsewhere. So where the mean loss tells no difference of one standard error,
    the memory answers: it also follows edits (the one-standard-error rule, Breiman et al. 1984).

    Args:
        gate: as :func:`fit_gate` fitted it.
        votes, logits, similarity, targets: see :func:`fit_gate`.
    """

    def losses(some: Gate) -> Array:
        return losses_of(some(votes, logits, similarity)[0], targets, gate.exclusive)

    least = losses(gate)
    for floor in FLOORS:
        found = replace(gate, floor=floor)
        if no_worse(losses(found), least):
            return found
    return gate


def no_worse(losses: Array, least: Array) -> bool:
    """Whether losses (n,) are at most one standard error above others (n,); not, if n is 0.

    And at most ``MOST_WORSE``.
    """
    more = losses.astype(np.float64) - least
    if not len(more):
        return False
    return bool(more.mean() <= min(more.std() / np.sqrt(len(more)), MOST_WORSE))


def losses_of(found: NDArray[np.floating], targets: Array, exclusive: bool) -> Array:
    """Negative log-likelihood of the targets of each example, (n,); of those with a known label."""
    p = np.clip(found[:, : targets.shape[1]], TINY, 1 - TINY)
    if exclusive:
        each: Array = -(targets * np.log(p)).sum(1)[targets.sum(1) > 0]
        return each
    each = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(1)
    return each


def log_loss(found: NDArray[np.floating], targets: Array, exclusive: bool) -> float:
    """Mean negative log-likelihood of the targets; of those with a known label, if exclusive."""
    each = losses_of(found, targets, exclusive)
    if not len(each):
        return np.inf
    return float(each.mean()) if exclusive else float(each.mean()) / targets.shape[1]
