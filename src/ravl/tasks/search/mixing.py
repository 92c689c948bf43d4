"""How much of the base encoder a trained text keeps: chosen on the validation split."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ravl.encoders.trained import TrainedEncoder
from ravl.evaluation import early_recall, ranks_of_relevant
from ravl.tasks.search.held import Held
from ravl.training.dual_encoder.pairs import Ints, Pairs

# Weights of the base's scores, in spreads of the trained ones. In its own set the trained space
# gains a few points from some of it; on sets never seen it would be lost without
# (benchmarks/results/transfer.md).
WEIGHTS = (0.0, 0.125, 0.25, 0.5, 1.0)
PRICE = 0.5  # standard errors of recall that may be paid for keeping more of the base


def best_text_share(pairs: Pairs, chosen: Ints, train: Ints, trained: TrainedEncoder) -> float:
    """The ``text_share`` of :class:`TrainedEncoder` that keeps as much of the base as is free.

    Args:
        pairs: of the memory.
        chosen, train: pictures of the validation and of the training split.
        trained: whose share of the trained part in pictures is as it should be; 1 leaves nothing
            to keep.
    """
    share = trained.share
    if share == 1:
        return 1.0
    held = Held.take(pairs, chosen, train, trained.base, trained.weighted(1.0, 1.0))
    learned = held.after.texts @ held.after.pictures.T  # (m, n)
    own = held.before.texts @ held.before.pictures.T  # (m, n)
    ratio = float(learned.std()) / max(float(own.std()), 1e-6)
    recalls = [_recall(held, weight * ratio) for weight in WEIGHTS]
    best = max(recalls)
    error = sqrt(best * (1 - best) / len(held.chosen))
    free = [w for w, r in zip(WEIGHTS, recalls, strict=True) if r >= best - PRICE * error]
    # The score of text and picture is sqrt(share * t) trained + sqrt((1 - share) (1 - t)) own.
    return 1 / (1 + (max(free) * ratio) ** 2 * share / (1 - share))


def _recall(held: Held, weight: float) -> float:
    """Recall by trained scores plus so much of the base's."""
    texts = np.hstack([held.after.texts, weight * held.before.texts])
    pictures = np.hstack([held.after.pictures, held.before.pictures])
    both = (
        ranks_of_relevant(texts, pictures, held.of_text),
        ranks_of_relevant(pictures, texts, held.of_picture),
    )
    return early_recall(both, len(held.chosen))
