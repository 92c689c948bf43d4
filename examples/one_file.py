"""ravl's ``classify`` in one file: retrieve, vote, linear head, gate. Read it from top to bottom.

It works on arrays, and on a small memory gives the numbers of ``ravl fit classify --model linear
--whiten no`` (tests/examples/test_one_file.py compares them). The library adds what a product
needs: whitened keys and class means, tags, texts, labels that only the memory knows, propagation,
abstaining, fusion with a language model.

    python examples/one_file.py shop.ravl       # a memory with labelled pictures

Shapes: N rows of evidence, n queries, F features, d numbers of a key, k neighbours, C labels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax

from ravl import Memory

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Map = Callable[[Array], Array]
KS, TEMPERATURES, BALANCES = (4, 8, 16, 32, 64), (0.02, 0.04, 0.08, 0.16), (0.0, 0.25, 0.5)
DECAYS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7)  # until it gets worse
CAP = 1 / 8  # of one row's share in a vote: a single wrong row cannot decide


# --- Retrieve: rows whose keys have the largest cosine with the query's key ------------------


def power_of(features: Array) -> float:
    """One half tames the long tails of features after a ReLU; 1 leaves others as they are."""
    return 0.5 if features.min() >= 0 else 1.0


def signed_power(features: Array, power: float) -> Array:
    """sign(x) |x| ** power."""
    return (np.sign(features) * np.abs(features) ** power).astype(np.float32)


def key_projection(features: Array, dimensions: int = 256) -> Map:
    """Features (n, F) to keys (n, d) of length 1: centred, and turned to the main directions.

    Centring matters most: the mean is what all pictures share, and hides what sets them apart.
    """
    power = power_of(features)
    x = signed_power(features, power)
    mean, directions = x.mean(0), np.eye(x.shape[1], dtype=np.float32)
    if x.shape[1] > dimensions:
        directions = np.linalg.eigh((x - mean).T @ (x - mean))[1][:, : -dimensions - 1 : -1]

    def keys(features: Array) -> Array:
        key = (signed_power(features, power) - mean) @ directions
        return key / np.maximum(np.linalg.norm(key, axis=1, keepdims=True), 1e-12)

    return keys


def retrieve(keys: Array, queries: Array, hidden: NDArray[np.bool_]) -> tuple[Ints, Array]:
    """Positions of the rows and their cosines, (n, up to 128), best first, by exact search.

    Rows that are hidden (n, N) come last, with a cosine of -inf, so that nothing of them counts. In
    training these are the example itself and its near-duplicates (*leave-self-out*): a vote that
    sees the answer looks perfect, and the gate would learn to trust it blindly.
    """
    similarity = np.where(hidden, -np.inf, queries @ keys.T).astype(np.float32)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : 2 * max(KS)]
    return order, np.take_along_axis(similarity, order, axis=1)


# --- Vote: labels of the neighbours, weighted by similarity; nothing is trained --------------


class Vote(NamedTuple):
    """How k neighbours vote; ``balance`` helps labels that few rows have."""

    k: int
    temperature: float
    balance: float

    def __call__(self, neighbours: tuple[Ints, Array], labels: Array) -> Array:
        """Share of each label in the vote, (n, C); labels of the rows are one-hot, (N, C)."""
        positions, similarity = neighbours[0][:, : self.k], neighbours[1][:, : self.k]
        shares = cap_shares(softmax(similarity.astype(np.float64) / self.temperature, axis=1))
        votes = np.einsum("nk,nkc->nc", shares, labels[positions])
        votes = votes / np.maximum(labels.sum(0), 1) ** self.balance
        return (votes / votes.sum(1, keepdims=True)).astype(np.float32)


def cap_shares(shares: Array) -> Array:
    """Shares (n, k) scaled up and cut at the cap, so that they sum to 1 again."""
    cap = np.maximum(CAP, 1 / np.maximum((shares > 0).sum(1, keepdims=True), 1))
    low, high = np.ones((len(shares), 1)), 1 / np.where(shares > 0, shares, 1).min(1, keepdims=True)
    for _ in range(60):  # halve the interval in which the scale lies
        scale = np.sqrt(low * high)
        enough = np.minimum(scale * shares, cap).sum(1, keepdims=True) >= 1
        low, high = np.where(enough, low, scale), np.where(enough, scale, high)
    return np.minimum(high * shares, cap)


# --- Linear head: logistic regression on standardised features, by L-BFGS --------------------


def minimise(loss: Callable[[], torch.Tensor], of: Sequence[torch.Tensor], steps: int) -> None:
    """Change these tensors so that the loss becomes small."""
    optimiser = torch.optim.LBFGS(
        of, max_iter=steps, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]


class Head:
    """Fits with ever weaker weight decay, each time from where it stopped before."""

    def __init__(self, features: Array, targets: Array) -> None:
        self.power = power_of(features)
        x = signed_power(features, self.power)
        self.mean = x.mean(0)
        self.scale = np.maximum(x.std(0), 1e-3) * np.float32(np.sqrt(x.shape[1]))
        self.x, self.y = torch.from_numpy(self.standard(features)), torch.from_numpy(targets)
        self.weight = torch.zeros(targets.shape[1], x.shape[1], requires_grad=True)
        self.bias = torch.zeros(targets.shape[1], requires_grad=True)

    def standard(self, features: Array) -> Array:
        """Features of mean 0 and of length about 1, so that one decay means the same for all."""
        return (signed_power(features, self.power) - self.mean) / self.scale

    def fit(self, decay: float) -> Head:
        """Cross-entropy, and half the decay times the squared weights."""

        def loss() -> torch.Tensor:
            likelihood = (self.y * (self.x @ self.weight.T + self.bias).log_softmax(1)).sum(1)
            return -likelihood.mean() + decay * self.weight.square().sum() / 2

        minimise(loss, [self.weight, self.bias], steps=30)
        return self

    def __call__(self, features: Array) -> Array:
        """Features (n, F) to logits (n, C)."""
        x = torch.from_numpy(self.standard(features))
        return (x @ self.weight.T + self.bias).detach().numpy()


def best_decay(x: Array, y: Array, groups: Ints, held: Array, truth: Array) -> tuple[float, Array]:
    """The weight decay that is best out of fold, and logits of heads that saw no answer.

    Near-duplicates (equal groups) are in one fold. The gate needs these honest logits: a head is
    far too sure of the examples that it was fitted to.
    """
    names, members = np.unique(groups, return_inverse=True)
    fold = (np.random.default_rng(0).permutation(len(names)) % 5)[members]
    folds = [fold == i for i in range(5) if 0 < (fold == i).sum() < len(x)]
    heads = [Head(x[~part], y[~part]) for part in folds]
    least, best, unseen = np.inf, DECAYS[0], np.zeros((0, 0), np.float32)
    for decay in DECAYS:
        logits = np.zeros((len(x) + len(held), y.shape[1]), np.float32)
        for part, head in zip(folds, heads, strict=True):
            logits[: len(x)][part] = head.fit(decay)(x[part])
            logits[len(x) :] += head(held) / len(folds)
        loss = min(log_loss(softmax(logits / t, 1), truth) for t in np.geomspace(0.1, 10, 41))
        if loss >= least:
            break
        least, best, unseen = loss, decay, logits
    return best, unseen


# --- Gate: how much of the answer is the vote's, and how much the head's ----------------------


def signs(votes: Array, model: Array, nearest: Array) -> Array:
    """What the gate looks at, (n, 7): how near, how sure, and whether both agree."""
    first, second, line = votes.argmax(1), model.argmax(1), np.arange(len(votes))
    sure = 2 * votes.max(1) - 1, 2 * model.max(1) - 1
    agreed = first == second, model[line, first], votes[line, second]
    return np.stack([np.ones(len(votes)), 2 * nearest - 1, *sure, *agreed], axis=1)


class Gate:
    """answer = g votes + (1 - g) model, with g = sigmoid(weights . signs), fitted by likelihood.

    So the mixture is calibrated, and few examples leave it near one half.
    """

    def __init__(self, votes: Array, logits: Array, nearest: Array, targets: Array) -> None:
        self.rates = (targets.sum(0) + 1) / (targets.sum(0) + 1).sum()
        weights = torch.zeros(7, dtype=torch.float64, requires_grad=True)
        heat = torch.zeros((), dtype=torch.float64, requires_grad=True)  # log of the temperature
        spread = torch.tensor(np.log(0.02 / 0.98), dtype=torch.float64, requires_grad=True)
        z, v, raw, y, rates = (
            torch.from_numpy(a.astype(np.float64))
            for a in (signs(votes, softmax(logits, 1), nearest), votes, logits, targets, self.rates)
        )

        def loss() -> torch.Tensor:
            g, floor = torch.sigmoid(z @ weights)[:, None], torch.sigmoid(spread)
            model = (raw / heat.exp()).softmax(1)
            mixed = g * ((1 - floor) * v + floor * rates) + (1 - g) * model
            likelihood = (y * mixed.clamp(1e-7, 1 - 1e-7).log()).sum(1)
            return -likelihood.mean() + 0.01 * (weights.square().sum() + heat.square()) / 2

        minimise(loss, [weights, heat, spread], steps=100)
        self.weights, self.temperature = weights.detach().numpy(), float(heat.detach().exp())
        self.floor = float(spread.detach().sigmoid())  # share of a vote that all labels get

    def __call__(self, votes: Array, logits: Array, nearest: Array) -> tuple[Array, Array, Array]:
        """The answer, and the vote's and the model's part in it: probabilities, (n, C) each."""
        smooth = (1 - self.floor) * votes + self.floor * self.rates
        model = softmax(logits / self.temperature, axis=1)
        g = expit(signs(votes, model, nearest) @ self.weights)[:, None]
        return g * smooth + (1 - g) * model, smooth, model


# --- Classify: choose and fit on training and validation pictures, then answer ----------------


def log_loss(probabilities: Array, targets: Array) -> float:
    """Minus the mean log of the probability of the right label."""
    return -float((targets * np.log(np.clip(probabilities, 1e-4, 1 - 1e-4))).sum(1).mean())


class Classifier:
    """Fitted to features (n, F), one-hot labels (n, C) and groups of near-duplicates (n,)."""

    def __init__(self, x: Array, y: Array, groups: Ints, train: Ints, held: Ints) -> None:
        self.x, self.y = x[train], y[train]  # the evidence, while choosing
        self.keys = key_projection(self.x)
        both = np.concatenate([train, held])
        neighbours = self.neighbours(x[both], hidden=groups[both][:, None] == groups[train])
        best = np.inf
        depths = [k for k in KS if k <= max(len(train), KS[0])]
        for vote in (Vote(*how) for how in product(depths, TEMPERATURES, BALANCES)):
            loss = log_loss(vote(neighbours, self.y), y[both])
            if loss < best - 1e-4:  # a clear gain; in doubt the simpler vote
                best, self.vote = loss, vote
        decay, unseen = best_decay(self.x, self.y, groups[train], x[held], y[both])
        self.gate = Gate(self.vote(neighbours, self.y), unseen, neighbours[1].max(1), y[both])
        # All is chosen: now the evidence and the head take the validation pictures too.
        self.x, self.y, self.head = x[both], y[both], Head(x[both], y[both])
        for weaker in DECAYS[: DECAYS.index(decay) + 1]:
            self.head.fit(weaker)

    def neighbours(self, x: Array, hidden: NDArray[np.bool_] | bool = False) -> tuple[Ints, Array]:
        """The neighbours of some pictures in the evidence."""
        keys, queries = self.keys(self.x), self.keys(x)
        return retrieve(keys, queries, np.broadcast_to(hidden, (len(queries), len(keys))))

    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """Features (n, F) to answers, votes and the model's part: probabilities, (n, C) each."""
        neighbours = self.neighbours(x)
        return self.gate(self.vote(neighbours, self.y), self.head(x), neighbours[1].max(1))


def read(memory: Memory) -> tuple[list[str], Array, Array, Ints, list[str]]:
    """Ids, features, one-hot labels and groups of a memory's labelled pictures, and the names."""
    rows = sorted((r for r in memory if r.hash and r.label), key=lambda r: r.number)
    names = sorted({r.label for r in rows if r.label})
    features = np.stack([memory.row_with_vectors(r.number)[1] for r in rows])
    labels = np.array([[r.label == name for name in names] for r in rows], np.float32)
    groups = np.array([r.group for r in rows])
    return [r.id for r in rows], features, labels, groups, names


if __name__ == "__main__":
    with Memory.open(sys.argv[1]) as memory:
        _, features, labels, groups, _ = read(memory)
    parts = np.random.default_rng(0).choice(3, groups.max() + 1, p=(0.7, 0.15, 0.15))[groups]
    train, held, test = (np.flatnonzero(parts == part) for part in range(3))
    classifier = Classifier(features, labels, groups, train, held)
    for what, found in zip(("gated", "vote", "model"), classifier(features[test]), strict=True):
        right = found.argmax(1) == labels[test].argmax(1)
        print(f"{what}: {right.mean():.1%} of {len(test)} test pictures")
