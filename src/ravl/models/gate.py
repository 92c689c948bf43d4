"""The gate: the weights of the memory's vote and of the model, for each query.

With v the neighbours' vote, h the model's probabilities at a fitted temperature and z the gate
features of the query, the answer is ``g v + (1 - g) h`` with ``g = sigmoid(w z)``. These ten
parameters are fitted to held-out answers by maximum likelihood, so the confidence of the mixture is
calibrated. Two more say what held-out answers cannot: a least weight of the memory, and how its
odds grow with the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array

Floats = NDArray[np.float64]
Real = TypeVar("Real", bound=np.floating)

NUM_GATE_FEATURES = 7  # number of gate features
PRIOR = 0.01  # weight of the squared norm: with few examples the gate stays near one half
SMOOTHING = 0.02  # initial share of a vote that is spread over all labels


@dataclass(frozen=True, eq=False)
class Gate:
    """A fitted gate.

    Args:
        exclusive: True for one label per picture, False for tags.
        weights: of the gate features, (NUM_GATE_FEATURES,).
        temperature: divisor of the model's logits.
        smoothing: share of the vote that is spread over all labels; for tags, towards
            ``class_prior``.
        class_prior: frequency of each label, (C,).
        floor: least weight of the memory where it has an answer, 0 to 1.
        growth: exponent by which the memory's odds grow with its rows; 0 for not at all.
        counts: rows of each label in the memory of the fit, (C,); empty for unknown.
    """

    exclusive: bool
    weights: Array
    temperature: float
    smoothing: float
    class_prior: Array
    floor: float = 0.0
    growth: float = 0.0
    counts: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    def __call__(
        self, votes: Array, logits: Array, similarity: Array, counts: Array | None = None
    ) -> tuple[Array, Array, Array, Array]:
        """The answer and its parts.

        Args:
            votes: of the neighbours for the labels that the model knows, (n, C); a row that sums to
                0 has no voters, so its answer is the model's.
            logits: of the model, (n, C).
            similarity: of the nearest neighbour, (n,).
            counts: rows of each label in the memory that voted, (C,) or for each query (n, C);
                None for as many as in that of the fit.

        Returns:
            Probabilities (n, C); the gate (n,), 0 for the model alone; the smoothed
            votes (n, C); the model's probabilities (n, C).
        """
        smoothed_votes = self.smoothed_votes(votes)
        own = self.model(logits)
        gate = _sigmoid(gate_features(votes, own, similarity) @ self.weights)
        gate = self.floor + (1 - self.floor) * gate
        if counts is not None:
            gate = self._grown(gate, smoothed_votes, counts)
        gate = gate * (votes.sum(1) > 0)
        mixed = gate[:, None] * smoothed_votes + (1 - gate[:, None]) * own
        return mixed.astype(np.float32), gate.astype(np.float32), smoothed_votes, own

    def _grown(self, gate: Array, votes: Array, counts: Array) -> Array:
        """Weights (n,) of the memory that has these rows now, by the labels it votes for."""
        if not self.growth or not len(self.counts):
            return gate
        more = np.log((counts + 1) / (self.counts + 1))  # (C,) or (n, C)
        more = (votes * more).sum(1) / np.maximum(votes.sum(1), 1e-9)
        odds = np.log(np.clip(gate, 1e-6, 1 - 1e-6) / np.clip(1 - gate, 1e-6, 1))
        return _sigmoid(odds + self.growth * more)

    def smoothed_votes(self, votes: Array) -> Array:
        """Smoothed votes (n, C): no label has probability 0; an empty vote is the class prior."""
        total = votes.sum(1, keepdims=True)
        spread = np.broadcast_to(self.class_prior, votes.shape)
        shares = votes / np.maximum(total, 1e-9) if self.exclusive else votes
        some = (1 - self.smoothing) * shares + self.smoothing * spread
        return np.where(total > 0, some, spread).astype(np.float32)

    def model(self, logits: Array) -> Array:
        """The model's probabilities (n, C)."""
        return probabilities(logits / self.temperature, self.exclusive)

    def arrays(self) -> dict[str, Array]:
        """All parameters, for a file of arrays."""
        numbers = [self.exclusive, self.temperature, self.smoothing, self.floor, self.growth]
        return {
            "weights": self.weights,
            "numbers": np.array(numbers, np.float32),
            "rates": self.class_prior,
            "counts": self.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Gate:
        """The inverse of :meth:`arrays`; ValueError where they are not those of a gate."""
        exclusive, temperature, smoothing, *more = (float(x) for x in arrays["numbers"])
        floor, growth = more or (0.0, 0.0)  # a run of before has neither
        rates, counts = arrays["rates"], arrays.get("counts", np.zeros(0, np.float32))
        if arrays["weights"].shape != (NUM_GATE_FEATURES,) or rates.ndim != 1:
            raise ValueError("the arrays of the gate do not fit together")
        if counts.shape not in ((0,), rates.shape):
            raise ValueError("the counts of the gate are not those of its labels")
        if not temperature > 0:
            raise ValueError("the temperature of the gate is not above 0")
        return cls(
            bool(exclusive),
            arrays["weights"],
            temperature,
            smoothing,
            rates,
            floor,
            growth,
            counts,
        )


def fit_gate(
    votes: Array, logits: Array, similarity: Array, targets: Array, exclusive: bool
) -> Gate:
    """Fit the gate with the maximum likelihood of held-out answers.

    Args:
        votes: votes of neighbours without the example itself and its near-duplicates, (n, C).
        logits: logits of a model that was not trained on the example, (n, C).
        similarity: of the nearest neighbour, (n,).
        targets: (n, C) 0 or 1; a row without a 1 has an unknown label; it is ignored if labels are
            exclusive.
    """
    from scipy.optimize import minimize

    class_prior = ((targets.sum(0) + 1) / (len(targets) + targets.shape[1])).astype(np.float32)
    if exclusive:
        known = targets.sum(1) > 0
        votes, logits, similarity = votes[known], logits[known], similarity[known]
        targets, class_prior = targets[known], class_prior / class_prior.sum()
    start = Gate(exclusive, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, SMOOTHING, class_prior)
    problem = _GateLoss(
        gate_features(votes, start.model(logits), similarity).astype(np.float64),
        start_shares(votes, exclusive).astype(np.float64),
        logits.astype(np.float64),
        targets.astype(np.float64),
        class_prior.astype(np.float64),
        (votes.sum(1) > 0).astype(np.float64),
        exclusive,
    )
    first = np.zeros(NUM_GATE_FEATURES + 2)
    first[-1] = np.log(SMOOTHING / (1 - SMOOTHING))
    found = minimize(problem, first, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return Gate(
        exclusive,
        found[:-2].astype(np.float32),
        float(np.exp(found[-2])),
        float(1 / (1 + np.exp(-found[-1]))),
        class_prior,
    )


@dataclass(frozen=True, eq=False)
class _GateLoss:
    """Negative log-likelihood of n held-out examples, with a prior, and its gradient.

    Args:
        features: of the gate, (n, NUM_GATE_FEATURES).
        shares: of the votes, (n, C).
        logits: of the model, (n, C).
        targets: (n, C).
        class_prior: what the smoothing spreads, (C,).
        has_votes: 1 where any neighbour votes, (n,).
        exclusive: see :class:`Gate`.
    """

    features: Floats
    shares: Floats
    logits: Floats
    targets: Floats
    class_prior: Floats
    has_votes: Floats
    exclusive: bool

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        """Of weights of the features, the logarithm of the temperature, and the smoothing's logit.

        Args:
            values: (NUM_GATE_FEATURES + 2,).
        """
        weights, sharp, low = values[:-2], values[-2], values[-1]
        switch = _sigmoid(self.features @ weights)
        gate = (switch * self.has_votes)[:, None]
        smoothing = float(1 / (1 + np.exp(-low)))
        scaled = self.logits / np.exp(sharp)
        own = _probabilities(scaled, self.exclusive)
        spread = (1 - smoothing) * self.shares + smoothing * self.class_prior
        mixed = gate * spread + (1 - gate) * own
        inside = (mixed > 1e-7) & (mixed < 1 - 1e-7)
        p, y, n = np.clip(mixed, 1e-7, 1 - 1e-7), self.targets, max(len(mixed), 1)
        if self.exclusive:
            loss = -(y * np.log(p)).sum() / n
            by_answer = -y / p * inside / n
            turned = own * (own * scaled).sum(1, keepdims=True) - own * scaled
        else:
            loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum() / n
            by_answer = -(y / p - (1 - y) / (1 - p)) * inside / n
            turned = -own * (1 - own) * scaled
        by_gate = (by_answer * (spread - own)).sum(1) * self.has_votes * switch * (1 - switch)
        by_low = (by_answer * gate * (self.class_prior - self.shares)).sum()
        gradient = np.concatenate(
            [
                self.features.T @ by_gate + PRIOR * weights,
                [(by_answer * (1 - gate) * turned).sum() + PRIOR * sharp],
                [by_low * smoothing * (1 - smoothing)],
            ]
        )
        return float(loss + PRIOR * (weights @ weights + sharp**2) / 2), gradient


def gate_features(votes: Array, own: Array, similarity: Array) -> Array:
    """The gate features, (n, NUM_GATE_FEATURES): a constant, similarity, confidences and agreement.

    Args:
        votes: (n, C).
        own: the model's probabilities, (n, C).
        similarity: of the nearest neighbour, (n,).
    """
    first, second = votes.argmax(1), own.argmax(1)
    lines = np.arange(len(votes))
    return np.stack(
        [
            np.ones(len(votes)),
            2 * similarity - 1,
            2 * votes.max(1, initial=0) - 1,
            2 * own.max(1, initial=0) - 1,
            first == second,
            own[lines, first],
            votes[lines, second],
        ],
        axis=1,
    ).astype(np.float32)


def start_shares(votes: Array, exclusive: bool) -> Array:
    """Votes as shares that sum to 1 if labels are exclusive."""
    return votes / np.maximum(votes.sum(1, keepdims=True), 1e-9) if exclusive else votes


def probabilities(logits: Array, exclusive: bool) -> Array:
    """Softmax over the labels, or a sigmoid for each tag, (n, C)."""
    return _probabilities(logits, exclusive).astype(np.float32)


def _probabilities(logits: NDArray[Real], exclusive: bool) -> NDArray[Real]:
    """The same, as exact as the logits are."""
    if not exclusive:
        return _sigmoid(logits)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), logits.dtype)


def _sigmoid(x: NDArray[Real]) -> NDArray[Real]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), x.dtype)
