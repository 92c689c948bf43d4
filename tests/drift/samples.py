"""Signals out of a random generator."""

from __future__ import annotations

import numpy as np

from ravl.runs.signals import Signals


def sample(random: np.random.Generator, count: int, shifted: str = "") -> Signals:
    """Signals with ties and with dependence; one of them may be shifted."""
    similarity = random.normal(0.7, 0.1, count)
    confidence = np.minimum(0.5 * similarity + random.random(count), 1).round(2)
    disagreement = random.beta(0.3, 1, count)
    if shifted == "similarity":
        similarity = similarity - 0.15
    if shifted == "confidence":
        confidence = confidence - 0.3
    if shifted == "disagreement":
        disagreement = disagreement + 0.3
    shares = [0.2, 0.2, 0.6] if shifted == "answers" else [0.6, 0.2, 0.2]
    names = random.choice(["hat", "shirt", "shoe"], count, p=shares)
    numbers = {"similarity": similarity, "confidence": confidence, "disagreement": disagreement}
    return Signals(
        {name: values.astype(np.float32) for name, values in numbers.items()},
        [(str(name),) for name in names],
    )
