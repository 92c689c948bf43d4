"""Labels that are likely wrong, by confident learning (Northcutt et al. 2021).

A row is suspect if another label is more probable than it usually is for rows with that label. The
threshold of a label is its mean probability among its own rows, so rare and difficult labels have
their own thresholds. A row is also suspect if its own label is nearly impossible compared with
another label.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ravl.checking.check_data import CheckData
from ravl.checking.issue import Issue, ranked
from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints

SURE = 0.9  # p(other) / (p(other) + p(own)) above which a row is always suspect
FEWEST = 4  # minimum number of rows of a label (near-duplicates count once) to suggest it


def mislabels(data: CheckData, beliefs: Array) -> list[Issue]:
    """Rows whose label is contradicted by other rows, the highest score first.

    Args:
        data: the data of the check.
        beliefs: see :func:`ravl.checking.beliefs.beliefs`, (N, C).
    """
    likely = suspects(data, beliefs)
    found = []
    for i in np.flatnonzero((likely >= 0) & data.chosen).tolist():
        given, other = beliefs[i, data.label[i]], beliefs[i, likely[i]]
        name = data.labels[likely[i]]
        neighbours = data.neighbours.positions[i]
        its = data.label[neighbours[neighbours >= 0]]
        agree, of = int((its == likely[i]).sum()), int((its >= 0).sum())
        own = data.datastore.rows[i].label
        why = (
            f"Labelled {own!r}, but {name!r} is more likely ({other:.0%} "
            f"against {given:.0%}); {agree} of its {of} nearest rows are {name!r}."
        )
        score = float(other / max(other + given, 1e-9))
        found.append(
            Issue(
                "mislabel",
                (data.id(i),),
                score,
                why,
                "relabel",
                name,
                data.nearest_ids(i),
                (own,),
            )
        )
    return ranked(found)


def suspects(data: CheckData, beliefs: Array) -> Ints:
    """The suggested label of each row, (N,), -1 if its own label is plausible."""
    label, count = data.label, len(data.labels)
    if count < 2:
        return np.full(len(data), -1, np.int64)
    motifs = {(y, g) for y, g in zip(label.tolist(), data.datastore.groups.tolist(), strict=True)}
    sizes = Counter(y for y, _ in motifs)
    enough = np.array([sizes[y] >= FEWEST for y in range(count)])
    usual = np.array(
        [beliefs[label == y, y].mean() if enough[y] else np.inf for y in range(count)], np.float32
    )
    own = beliefs[np.arange(len(data)), label]  # not used for rows without a label
    others = np.where(enough & (np.arange(count) != label[:, None]), beliefs, 0)  # (N, C)
    confident = np.where(others >= usual, others, 0).max(1) > own
    impossible = others.max(1) >= SURE / (1 - SURE) * own
    suspect = (label >= 0) & enough[label] & (confident | impossible) & (others.max(1) > own)
    return np.where(suspect, others.argmax(1), -1)


def conflicts(data: CheckData, beliefs: Array) -> list[Issue]:
    """Near-identical pictures with different labels, the highest score first."""
    found = []
    for its in data.motifs:
        counts = Counter(data.label[i] for i in its if data.label[i] >= 0)
        if len(counts) < 2:
            continue
        mean = beliefs[its].mean(0)
        weights = {y: count * (float(mean[y]) + 1e-3) for y, count in counts.items()}
        best = max(weights, key=lambda y: (weights[y], -y))
        names = " and ".join(repr(data.labels[y]) for y in sorted(counts))
        why = (
            f"{len(its)} near-identical pictures are labelled {names}; "
            f"{data.labels[best]!r} is the likeliest."
        )
        ids = tuple(data.id(i) for i in its)
        score = weights[best] / sum(weights.values())
        found.append(
            Issue(
                "conflict",
                ids,
                score,
                why,
                "relabel",
                data.labels[best],
                data.nearest_ids(its[0]),
                tuple(data.datastore.rows[i].label for i in its),
            )
        )
    return ranked(found)
