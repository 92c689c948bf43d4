from __future__ import annotations

import numpy as np
import pytest

from ravl.encoders.base import normalise
from ravl.encoders.trained import Head, TrainedEncoder
from ravl.tasks.search import mixing
from ravl.tasks.search.mixing import best_text_share
from ravl.training.dual_encoder.pairs import Pairs
from tests.helpers import ColourEncoder

N, D = 120, 48


class Meaning(ColourEncoder):
    """Knows what every picture and text means, but for some noise; features are vectors."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.meaning = normalise(random.normal(size=(N, D)))
        self.noise = noise * random.normal(size=(N, D)) / np.sqrt(D)

    def project(self, features):
        return normalise(features)

    def embed_texts(self, texts):
        if not all(t.isdigit() for t in texts):  # the fingerprint's probe
            return super().embed_texts(texts)
        which = np.array([int(t) for t in texts], int)
        return normalise((self.meaning + self.noise)[which])


def made(base: Meaning) -> Pairs:
    every = np.arange(N)
    return Pairs(
        [str(i) for i in every],
        base.meaning,
        every,
        [None] * N,
        [str(i) for i in every],
        every,
        every,
    )


def head(turn: int = 0) -> Head:
    """One that changes nothing, or turns the space at random."""
    weight = np.linalg.qr(np.random.default_rng(turn).normal(size=(D, D)))[0] if turn else np.eye(D)
    return Head(
        mean=np.zeros(D, np.float32),
        scale=np.ones(D, np.float32),
        weight=weight.astype(np.float32),
        bias=np.zeros(D, np.float32),
    )


def chosen(base: Meaning, picture: Head, text: Head, share: float = 0.5) -> float:
    half = np.arange(N // 2)
    trained = TrainedEncoder(base, picture, text, share)
    return best_text_share(made(base), half, half + N // 2, trained)


def test_keeps_all_of_a_base_that_knows_better():
    assert chosen(Meaning(0.1), head(1), head(2)) < 0.7


def test_keeps_nothing_of_a_base_that_only_disturbs(monkeypatch):
    monkeypatch.setattr(mixing, "PRICE", 0.0)
    worst = Meaning(0.1)
    monkeypatch.setattr(mixing, "_recall", lambda held, weight: 1.0 if weight == 0 else 0.5)
    assert chosen(worst, head(), head()) == 1


def test_of_equals_the_one_that_keeps_most(monkeypatch):
    monkeypatch.setattr(mixing, "_recall", lambda held, weight: 0.7)
    most = chosen(Meaning(0.1), head(), head())
    monkeypatch.setattr(mixing, "_recall", lambda held, weight: 0.7 if weight < 0.3 else 0.1)
    assert 1 > chosen(Meaning(0.1), head(), head()) > most > 0


def test_a_share_of_one_leaves_nothing_to_keep():
    assert chosen(Meaning(0.1), head(), head(), share=1.0) == 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_scores_are_mixed_as_they_were_when_chosen(share, monkeypatch):
    """sqrt(share t) : sqrt((1 - share)(1 - t)) is 1 : weight * ratio."""
    monkeypatch.setattr(mixing, "WEIGHTS", (0.5,))
    seen: list[float] = []

    def recall(held, weight):
        seen.append(weight)
        return 0.5

    monkeypatch.setattr(mixing, "_recall", recall)
    t = chosen(Meaning(0.1), head(), head(), share)
    assert np.sqrt((1 - share) * (1 - t) / (share * t)) == pytest.approx(seen[0], rel=1e-5)
