"""Learned keys: the task's loss reaches the retriever through score-weighted neighbours.

A matrix on top of the frozen keys. Each training example is answered by all rows of the datastore
that do not show it, weighted by the softmax of similarity, and the matrix is learned so that the
answers are right (neighbourhood components analysis, Goldberger et al. 2004; for retrieval:
Izacard et al. 2022, "Atlas"). It starts as the identity and is drawn back to it. Towers stay as
they are, so that memory and queries are embedded again by one product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ravl.encoders.base import Array, normalise
from ravl.models.linear import Loss, smoothed, torch_loss
from ravl.retrieval.datastore import Datastore, Ints
from ravl.retrieval.key_projection import KeyProjection

TEMPERATURE = 0.1  # of the neighbours' softmax; a vote's may be lower, with fewer voters
FLOOR = 0.02  # share of the answer that goes to the labels' rates: nothing is impossible
RATE = 3e-3  # of Adam
# Weight of the mean square that a column has moved from the identity. With less, known labels are
# found a little better, and labels that come to the memory later far worse.
DECAY = 5.0
EPOCHS, PATIENCE = 20, 4
BATCH, LEAST = 128, 8  # examples of a batch
STEPS = 16  # of an epoch, at least, with batches as small as that takes
MINED = 32  # neighbours of each example of a batch, in a datastore that is not taken whole
WHOLE = BATCH * MINED  # rows of a datastore that is
EXAMPLES = 10_000  # of an epoch, at most


@dataclass(frozen=True, eq=False)
class Preferences:
    """What a reader would rather read, for some examples.

    Args:
        positions: of candidate rows in the datastore, (n, m), -1 for none.
        shares: of the preference, (n, m); rows sum to 1, or to 0 where nothing is known.
        weights: of each example beside its answer's loss, (n,): how much the reader cares.
    """

    positions: Ints
    shares: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class TrainingExamples:
    """What keys are learned from.

    Args:
        datastore: N rows that say something for the task.
        labels: by each of them, (N, C).
        features: of the examples, (n, F).
        targets: (n, C).
        hidden: of each example the groups that show it.
        loss: of the answers.
        preferred: by a reader, None where there is none.
        seed: of the order.
    """

    datastore: Datastore
    labels: Array
    features: Array
    targets: Array
    hidden: list[Ints]
    loss: Loss
    preferred: Preferences | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Learned:
    """Keys that were learned.

    Args:
        keys: of the best epoch.
        epochs: until then; 0 for none that was better than the frozen keys.
        curve: seconds and held-out surprise, before the first epoch and after each.
    """

    keys: KeyProjection
    epochs: int
    curve: list[tuple[float, float]] = field(default_factory=list)


def learn_keys(
    keys: KeyProjection,
    lesson: TrainingExamples,
    epochs: int = EPOCHS,
    held: Callable[[KeyProjection], float] | None = None,
) -> Learned:
    """Learn a matrix on top of some keys.

    Args:
        keys: to start from.
        lesson: to learn.
        epochs: at most.
        held: surprise of held-out examples with some keys, by which the best epoch is chosen; None
            for the last.
    """
    learner, began = _Learner(keys, lesson), time.monotonic()
    best = Learned(keys, 0)
    curve = [(0.0, held(keys))] if held else []
    for epoch in range(1, epochs + 1):
        learner.epoch(epoch)
        if held is None:
            continue
        value = held(learner.keys())
        if value < min(v for _, v in curve):
            best = Learned(learner.keys(), epoch)
        curve.append((round(time.monotonic() - began, 1), value))
        if epoch - best.epochs >= PATIENCE:
            break
    return Learned(learner.keys(), epochs) if held is None else replace(best, curve=curve)


class _Learner:
    """The matrix, and all that it is learned on, as tensors."""

    def __init__(self, keys: KeyProjection, lesson: TrainingExamples) -> None:
        self._start, self._lesson = keys, lesson
        self._rows = torch.from_numpy(keys.project(lesson.datastore.features))  # (N, d)
        self._queries = torch.from_numpy(keys.project(lesson.features))  # (n, d)
        self._labels = torch.from_numpy(lesson.labels)
        self._targets = torch.from_numpy(smoothed(lesson.targets, lesson.loss))
        self._rates = torch.from_numpy(lesson.targets.mean(0))
        self._own = [lesson.datastore.showing(groups) for groups in lesson.hidden]
        weights = lesson.loss.weights
        self._weights = (
            torch.ones(len(self._rates)) if weights is None else (torch.from_numpy(weights))
        )
        self._eye = torch.eye(self._rows.shape[1])
        self._matrix = self._eye.clone().requires_grad_()
        self._optimiser = torch.optim.Adam([self._matrix], lr=RATE)

    def keys(self) -> KeyProjection:
        """As they are by now."""
        return self._start.rotated(self._matrix.detach().numpy())

    def epoch(self, number: int) -> None:
        """Each example once, in an order of the epoch's own."""
        random = np.random.default_rng([self._lesson.seed, number])
        order = random.permutation(len(self._queries))[:EXAMPLES]
        mined = self._mine(order)
        size = min(max(len(order) // STEPS, LEAST), BATCH)
        for start in range(0, len(order), size):
            some = slice(start, start + size)
            pool = self._pool(order[some], None if mined is None else mined[some])
            moved = (self._matrix - self._eye).square().sum() / len(self._eye)
            loss = self._loss(order[some], pool) + DECAY * moved
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()

    @torch.no_grad()
    def _mine(self, order: Ints) -> Ints | None:
        """The rows nearest to some examples by now (n, MINED): the memory is embedded again.

        None for a datastore that is small enough to be taken whole.
        """
        if len(self._rows) <= WHOLE:
            return None
        rows, queries = (
            normalise((x @ self._matrix).numpy()) for x in (self._rows, self._queries[order])
        )
        hidden = [self._lesson.hidden[i] for i in order.tolist()]
        return (
            replace(self._lesson.datastore, keys=rows).neighbours(queries, MINED, hidden).positions
        )

    def _pool(self, chosen: Ints, mined: Ints | None) -> Ints:
        """The rows that answer a batch: all, or whatever is near to one of its examples."""
        if mined is None:
            return np.arange(len(self._rows))
        preferred = self._lesson.preferred
        more = np.zeros(0, np.int64) if preferred is None else preferred.positions[chosen].ravel()
        pool = np.unique(np.concatenate([mined.ravel(), more]))
        return pool[pool >= 0]

    def _loss(self, chosen: Ints, pool: Ints) -> Tensor:
        rows = F.normalize(self._rows[pool] @ self._matrix, dim=1)
        queries = F.normalize(self._queries[chosen] @ self._matrix, dim=1)
        similarity = queries @ rows.T / TEMPERATURE  # (b, p)
        own, places = self._shown(chosen, pool)
        similarity = similarity.index_put(
            (own, places), torch.tensor(-1e4)
        )  # not infinite, so that an example without others has no gradient, not a bad one
        answers = similarity.softmax(1) @ self._labels[pool]
        loss = self._of_answers((1 - FLOOR) * answers + FLOOR * self._rates, self._targets[chosen])
        if self._lesson.preferred is not None:
            loss = loss + self._of_preferences(self._lesson.preferred, similarity, chosen, pool)
        return loss

    def _of_answers(self, answers: Tensor, targets: Tensor) -> Tensor:
        """The task's loss, for one label of an example, so that a decay means the same for tags."""
        p = answers.clamp(1e-6, 1 - 1e-6)
        exclusive = self._lesson.loss.exclusive
        logits = p.log() if exclusive else p.logit()
        per = 1.0 if exclusive else self._rates.sum().clamp(min=1e-3)
        loss: Tensor = torch_loss(logits, targets, exclusive, self._weights) / per
        return loss

    def _shown(self, chosen: Ints, pool: Ints) -> tuple[Tensor, Tensor]:
        """Where a batch's examples are themselves in the pool: their lines and its columns."""
        own = [self._own[i] for i in chosen.tolist()]
        lines = np.repeat(np.arange(len(own)), [len(rows) for rows in own])
        return _places(pool, lines, np.concatenate([np.zeros(0, np.int64), *own]))[:2]

    def _of_preferences(
        self, preferred: Preferences, similarity: Tensor, chosen: Ints, pool: Ints
    ) -> Tensor:
        """How far the similarity of the candidates is from what the reader prefers (KL), (b, p)."""
        candidates, shares = preferred.positions[chosen], preferred.shares[chosen]
        lines = np.repeat(np.arange(len(chosen)), candidates.shape[1])
        own, places, there = _places(pool, lines, candidates.ravel())
        wanted = torch.zeros_like(similarity)
        wanted[own, places] = torch.from_numpy(shares.ravel()[there])
        among = torch.zeros_like(similarity, dtype=torch.bool)
        among[own, places] = True
        chances = similarity.masked_fill(~among, -1e4).log_softmax(1)
        each = (wanted * (wanted.clamp(min=1e-9).log() - chances)).sum(1)
        asked = wanted.sum(1) > 0
        weights = torch.from_numpy(preferred.weights[chosen])
        found: Tensor = (weights * each)[asked].sum() / asked.sum().clamp(min=1)
        return found


def _places(pool: Ints, lines: Ints, positions: Ints) -> tuple[Tensor, Tensor, Ints]:
    """Lines and columns of those positions that are in an ascending pool, and which they are."""
    columns = np.searchsorted(pool, positions).clip(0, len(pool) - 1)
    there = np.flatnonzero(pool[columns] == positions)
    return torch.from_numpy(lines[there]), torch.from_numpy(columns[there]), there
