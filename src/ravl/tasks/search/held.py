"""Held-out pictures and texts, before and after training: what the report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.evaluation import (
    Score,
    bootstrap,
    early_recall,
    paired_difference,
    precision_at,
    ranks_of_relevant,
    retrieval_differences,
    retrieval_scores,
)
from ravl.json_types import JsonObject
from ravl.store.hubness import BANK, nearest_of
from ravl.training.dual_encoder.pairs import Ints, Pairs, pairs_of, relevant

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of hubness correction, tried on validation
ALIKE = 5  # hits that should have the query's label

Metrics = dict[str, dict[str, dict[str, Score]]]
"""By direction, then before, after, difference, then metric."""


@dataclass(frozen=True)
class Space:
    """One encoder's vectors of held-out pictures (n, d) and texts (m, d), and of the bank."""

    pictures: Array
    texts: Array
    bank_pictures: Array
    bank_texts: Array

    @cached_property
    def hubs(self) -> tuple[Array, Array]:
        """How near pictures (n,) and texts (m,) are to much of the other kind."""
        return _hubs(self.pictures, self.bank_texts), _hubs(self.texts, self.bank_pictures)


@dataclass(frozen=True, slots=True)
class Held:
    """One held-out split.

    Args:
        chosen: its pictures' positions among the pairs' pictures, (n,).
        which: its texts' positions among the pairs' texts, (m,).
        of_text: pictures that belong to each text, as positions in the part.
        of_picture: texts that belong to each picture, as positions in the part.
        labels: of the pictures, None where there is none.
        before, after: training.
    """

    chosen: Ints
    which: Ints
    of_text: list[Ints]
    of_picture: list[Ints]
    labels: list[str | None]
    before: Space
    after: Space

    @classmethod
    def take(cls, pairs: Pairs, chosen: Ints, train: Ints, before: Encoder, after: Encoder) -> Held:
        """The part with these pictures; ``train`` are those that hubs are measured against."""
        which, of_text, of_picture = relevant(pairs, chosen)
        datastore = _sample(train)
        bank_texts = _sample(np.unique(pairs.which[pairs_of(pairs, train)]))

        def space(encoder: Encoder, beside: bool) -> Space:
            def read(some: Ints) -> Array:
                return encoder.embed_texts([pairs.texts[i] for i in some])

            return Space(
                encoder.project(pairs.seen(chosen, beside)),
                read(which),
                encoder.project(pairs.seen(datastore, beside)),
                read(bank_texts),
            )

        return cls(
            chosen=chosen,
            which=which,
            of_text=of_text,
            of_picture=of_picture,
            labels=[pairs.labels[i] for i in chosen],
            before=space(before, False),
            after=space(after, True),
        )

    def ranks(self, space: Space, strength: float) -> tuple[list[Ints], list[Ints]]:
        """Ranks of what belongs to each text and to each picture, with hubs held down."""
        of_pictures, of_texts = (-strength * hubs for hubs in space.hubs)
        return (
            ranks_of_relevant(space.texts, space.pictures, self.of_text, offset=of_pictures),
            ranks_of_relevant(space.pictures, space.texts, self.of_picture, offset=of_texts),
        )


def best_hubness(held: Held) -> float:
    """The strength of hubness correction with the best mean R@10 of both directions."""
    return max(STRENGTHS, key=lambda strength: recall(held, held.after, strength))


def recall(held: Held, space: Space, strength: float) -> float:
    """The part's :func:`ravl.evaluation.early_recall`, with hubs held down."""
    return early_recall(held.ranks(space, strength), len(held.chosen))


def measure(held: Held, hubness: float, seed: int) -> Metrics:
    """Scores of the part before and after, and their differences, with intervals.

    ``after`` is what searches find from now on; ``uncorrected_after`` is without hubness
    correction, so that training alone gets its due.
    """
    groups = np.array([pictures[0] for pictures in held.of_text])  # captions of one picture
    before, plain = held.ranks(held.before, 0), held.ranks(held.after, 0)
    after = held.ranks(held.after, hubness)
    metrics: Metrics = {}
    for i, name in enumerate(("text -> picture", "picture -> text")):
        together = groups if i == 0 else None
        metrics[name] = {
            "before": retrieval_scores(before[i], together, seed),
            "after": retrieval_scores(after[i], together, seed),
            "difference": retrieval_differences(after[i], before[i], together, seed),
        }
        if hubness:
            metrics[name] |= {
                "uncorrected_after": retrieval_scores(plain[i], together, seed),
                "uncorrected_difference": retrieval_differences(
                    plain[i], before[i], together, seed
                ),
            }
    alike = _alike(held, seed)
    return metrics | ({"picture -> picture": alike} if alike else {})


def to_json(metrics: Metrics) -> JsonObject:
    """As plain JSON types."""
    return {
        direction: {
            moment: {name: score.to_json() for name, score in scores.items()}
            for moment, scores in moments.items()
        }
        for direction, moments in metrics.items()
    }


def _alike(held: Held, seed: int) -> dict[str, dict[str, Score]] | None:
    """Precision among the nearest pictures, by label, where labels occur often enough."""
    named = [i for i, label in enumerate(held.labels) if label]
    labels = np.array([held.labels[i] for i in named])
    if len(named) <= ALIKE:
        return None
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[numbers] > ALIKE)
    if not len(queries):
        return None
    before, after = (
        precision_at(vectors[queries], vectors, labels[queries], labels, ALIKE, queries)
        for vectors in (held.before.pictures[named], held.after.pictures[named])
    )
    name = f"P@{ALIKE} same label"
    return {
        "before": {name: bootstrap(before, seed=seed)},
        "after": {name: bootstrap(after, seed=seed)},
        "difference": {name: paired_difference(after, before, seed=seed)},
    }


def _hubs(items: Array, datastore: Array) -> Array:
    """Mean of each item's largest dot products with the bank, (n,)."""
    m = nearest_of(len(datastore))
    scores = items @ datastore.T  # (n, bank)
    hubs: Array = np.partition(scores, -m, axis=1)[:, -m:].mean(axis=1)
    return hubs


def _sample(positions: Ints) -> Ints:
    """At most ``BANK`` of them, evenly."""
    step = -(-len(positions) // BANK)
    return positions[::step]
