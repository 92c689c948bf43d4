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
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array

if TYPE_CHECKING:
    from torch import Tensor

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
    import torch

    class_prior = ((targets.sum(0) + 1) / (len(targets) + targets.shape[1])).astype(np.float32)
    if exclusive:
        known = targets.sum(1) > 0
        votes, logits, similarity = votes[known], logits[known], similarity[known]
        targets, class_prior = targets[known], class_prior / class_prior.sum()
    start = Gate(exclusive, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, SMOOTHING, class_prior)
    weights = torch.zeros(NUM_GATE_FEATURES, dtype=torch.float64, requires_grad=True)
    sharp = torch.zeros((), dtype=torch.float64, requires_grad=True)  # log of the temperature
    low = torch.tensor(np.log(SMOOTHING / (1 - SMOOTHING)), dtype=torch.float64, requires_grad=True)
    z = torch.from_numpy(gate_features(votes, start.model(logits), similarity).astype(np.float64))
    shares, raw, y, spread = (
        torch.from_numpy(np.asarray(a, np.float64))
        for a in (start_shares(votes, exclusive), logits, targets, class_prior)
    )
    has_votes = torch.from_numpy(votes.sum(1) > 0)

    def loss() -> Tensor:
        gate = (torch.sigmoid(z @ weights) * has_votes)[:, None]
        scaled = raw / sharp.exp()
        own = scaled.softmax(1) if exclusive else scaled.sigmoid()
        smoothing = low.sigmoid()
        mixed = gate * ((1 - smoothing) * shares + smoothing * spread) + (1 - gate) * own
        mixed = mixed.clamp(1e-7, 1 - 1e-7)
        if exclusive:
            fit = -(y * mixed.log()).sum(1).mean()
        else:
            fit = -(y * mixed.log() + (1 - y) * (1 - mixed).log()).mean(0).sum()
        return fit + PRIOR * weights.square().sum() / 2 + PRIOR * sharp.square() / 2

    optimiser = torch.optim.LBFGS(
        [weights, sharp, low], max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = weights.detach().numpy().astype(np.float32)
    return Gate(
        exclusive, found, float(sharp.detach().exp()), float(low.detach().sigmoid()), class_prior
    )


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
    if not exclusive:
        return _sigmoid(logits).astype(np.float32)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _sigmoid(x: Array) -> Array:
    y: Array = (1 / (1 + np.exp(-np.clip(x, -60, 60)))).astype(np.float32)
    return y
