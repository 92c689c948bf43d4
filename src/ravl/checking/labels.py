"""Labels that are likely wrong, by confident learning (Northcutt et al. 2021).

A row is suspect where another label is more probable than it usually is for rows that bear it.
Each label's threshold is the mean probability of that label among its own rows, so that labels
that are hard to tell, or rare, are judged by their own measure. So is a row whose own label is next
to impossible beside another, sure or not.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ravl.checking.ground import FitData
from ravl.checking.issue import Issue, ranked
from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints

SURE = 0.9  # share of another label, of that and the row's own, that is suspect in any case
FEWEST = 4  # rows, near-duplicates counted once, from which a label can be told by others


def mislabels(ground: FitData, beliefs: Array) -> list[Issue]:
    """Rows whose label others contradict, the surest first.

    Args:
        ground: that is checked.
        beliefs: see :func:`ravl.checking.beliefs.beliefs`, (N, C).
    """
    likely = suspects(ground, beliefs)
    found = []
    for i in np.flatnonzero((likely >= 0) & ground.chosen).tolist():
        given, other = beliefs[i, ground.label[i]], beliefs[i, likely[i]]
        name = ground.labels[likely[i]]
        near = ground.near.positions[i]
        its = ground.label[near[near >= 0]]
        agree, of = int((its == likely[i]).sum()), int((its >= 0).sum())
        why = (
            f"Labelled {ground.bank.rows[i].label!r}, but {name!r} is more likely ({other:.0%} "
            f"against {given:.0%}); {agree} of its {of} nearest rows are {name!r}."
        )
        score = float(other / max(other + given, 1e-9))
        found.append(
            Issue("mislabel", (ground.id(i),), score, why, "relabel", name, ground.neighbours(i))
        )
    return ranked(found)


def suspects(ground: FitData, beliefs: Array) -> Ints:
    """The label that each row likely has in place of its own, (N,), -1 where its own is fine."""
    label, count = ground.label, len(ground.labels)
    if count < 2:
        return np.full(len(ground), -1, np.int64)
    motifs = {(y, g) for y, g in zip(label.tolist(), ground.bank.groups.tolist(), strict=True)}
    sizes = Counter(y for y, _ in motifs)
    told = np.array([sizes[y] >= FEWEST for y in range(count)])
    usual = np.array(
        [beliefs[label == y, y].mean() if told[y] else np.inf for y in range(count)], np.float32
    )
    own = beliefs[np.arange(len(ground)), label]  # of rows without a label it is not used
    others = np.where(told & (np.arange(count) != label[:, None]), beliefs, 0)  # (N, C)
    confident = np.where(others >= usual, others, 0).max(1) > own
    impossible = others.max(1) >= SURE / (1 - SURE) * own
    suspect = (label >= 0) & told[label] & (confident | impossible) & (others.max(1) > own)
    return np.where(suspect, others.argmax(1), -1)


def conflicts(ground: FitData, beliefs: Array) -> list[Issue]:
    """Near-identical pictures with different labels, those first whose right label is sure."""
    found = []
    for its in ground.motifs:
        counts = Counter(ground.label[i] for i in its if ground.label[i] >= 0)
        if len(counts) < 2:
            continue
        mean = beliefs[its].mean(0)
        weights = {y: count * (float(mean[y]) + 1e-3) for y, count in counts.items()}
        best = max(weights, key=lambda y: (weights[y], -y))
        names = " and ".join(repr(ground.labels[y]) for y in sorted(counts))
        why = (
            f"{len(its)} near-identical pictures are labelled {names}; "
            f"{ground.labels[best]!r} is the likeliest."
        )
        ids = tuple(ground.id(i) for i in its)
        score = weights[best] / sum(weights.values())
        found.append(
            Issue(
                "conflict",
                ids,
                score,
                why,
                "relabel",
                ground.labels[best],
                ground.neighbours(its[0]),
            )
        )
    return ranked(found)
