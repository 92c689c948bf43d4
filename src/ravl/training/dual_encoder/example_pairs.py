"""The pairs of a fit's examples: pictures, and those of their texts that the encoder reads."""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import Array, Encoder
from ravl.runs.row_texts import TextTargets, readable, text_vectors
from ravl.training.dual_encoder.pairs import Pairs
from ravl.training.examples import Examples


def read_texts(task: TextTargets, base: Encoder, examples: Examples) -> tuple[Pairs, Array]:
    """Pairs of pictures and their texts, and the base vectors of the texts (t, D)."""
    pairs = example_pairs(task, base, examples)
    texts = [readable(task, base, row) for row in examples.rows]
    found = text_vectors(examples.source, examples.rows, texts, task)
    _, first = np.unique(pairs.which, return_index=True)
    return pairs, found[first]


def example_pairs(task: TextTargets, base: Encoder, examples: Examples) -> Pairs:
    """Pairs of pictures and those of their texts that the encoder reads."""
    texts = [readable(task, base, row) for row in examples.rows]
    places: dict[str, int] = {}
    which = [places.setdefault(text, len(places)) for its in texts for text in its]
    owners = np.repeat(np.arange(len(texts)), [len(its) for its in texts])
    unread = sum(len(task.of(row)) for row in examples.rows) - len(which)
    return Pairs(
        [row.id for row in examples.rows],
        examples.features,
        examples.groups,
        [row.label for row in examples.rows],
        list(places),
        owners.astype(np.int64),
        np.array(which, np.int64),
        unread,
    )
