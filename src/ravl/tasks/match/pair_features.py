"""Clues: what a memory knows about a picture and a text, looked up in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.runs.row_texts import RowTexts

BLOCK = 256  # pairs looked up at a time
NOTHING = -1.0  # similarity to a row that says nothing


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """What was found for n pairs.

    Args:
        neighbours: rows whose pictures are like the picture, (n, K).
        text_similarity: cosine of the text to the best text of each of these, (n, K); 0 for rows
            without a text.
        alike: rows whose texts are like the text, by that cosine, (n, K).
        seen: similarity of the picture to the pictures of these, (n, K); 0 where there is none.
    """

    neighbours: Neighbours
    text_similarity: Array
    alike: Neighbours
    seen: Array

    def __len__(self) -> int:
        return len(self.text_similarity)

    def take(self, chosen: Ints) -> PairFeatures:
        """Those of some of the pairs."""
        return PairFeatures(
            self.neighbours.take(chosen),
            self.text_similarity[chosen],
            self.alike.take(chosen),
            self.seen[chosen],
        )


def look_up(
    vectors: Array,
    keys: Array,
    picture: Ints,
    text: Ints,
    row_texts: RowTexts,
    neighbours: Neighbours,
    *,
    alike: Neighbours | None = None,
    hidden: Sequence[Ints] | None = None,
) -> PairFeatures:
    """What the rows say of n pairs.

    Args:
        vectors: of t texts by the base encoder, (t, D).
        keys: of m pictures, (m, d).
        picture, text: of each pair, (n,) positions.
        row_texts: texts of the datastore's rows.
        neighbours: rows whose pictures are like each pair's, (n, K).
        alike: rows to compare the picture with; None for those whose texts are most like the text.
        hidden: for each pair the groups of rows that it must not see.
    """
    n, k = neighbours.positions.shape
    count = min(k, len(row_texts.datastore))
    out_said = np.zeros((n, k), np.float32)
    out_seen = np.zeros((n, k), np.float32)
    places = np.full((n, k), -1, np.int64)
    similarity = np.zeros((n, k), np.float32)
    if alike is not None:
        places, similarity = alike.positions, alike.similarity
    order = np.argsort(text, kind="stable")  # so that a block has few different texts
    for start in range(0, n, BLOCK):
        chosen = order[start : start + BLOCK]
        names, local = np.unique(text[chosen], return_inverse=True)
        table = row_texts.similarity(vectors[names])  # (u, N)
        if alike is None:
            found = _best(table, local, count, row_texts, chosen, hidden)
            values = table[local[:, None], found]
            there = np.isfinite(values) & (values > NOTHING)
            if hidden is not None:
                there &= ~_is_hidden(row_texts.datastore.groups[found], chosen, hidden)
            places[chosen, :count] = np.where(there, found, -1)
            similarity[chosen, :count] = np.where(there, values, 0)
        rows = neighbours.positions[chosen]
        spoken = table[local[:, None], rows]
        out_said[chosen] = np.where((rows >= 0) & (spoken > NOTHING), spoken, 0)
        out_seen[chosen] = row_texts.datastore.similarity(keys[picture[chosen]], places[chosen])
    return PairFeatures(neighbours, out_said, Neighbours(places, similarity), out_seen)


def shuffled(
    clues: PairFeatures,
    vectors: Array,
    keys: Array,
    picture: Ints,
    text: Ints,
    row_texts: RowTexts,
    seed: int,
) -> PairFeatures:
    """Clues of random rows, with the similarity by which the right ones were found."""
    random = np.random.default_rng(seed)

    def strangers(found: Neighbours) -> Neighbours:
        drawn = random.integers(0, len(row_texts.datastore), found.positions.shape)
        return Neighbours(np.where(found.found, drawn, -1), found.similarity)

    neighbours, alike = strangers(clues.neighbours), strangers(clues.alike)
    return look_up(vectors, keys, picture, text, row_texts, neighbours, alike=alike)


def _best(
    table: Array,
    local: Ints,
    count: int,
    row_texts: RowTexts,
    chosen: Ints,
    hidden: Sequence[Ints] | None,
) -> Ints:
    """Positions of the rows with the largest values, (b, count), best first."""
    if hidden is None:
        return _top(table, count)[local]
    lines = table[local]
    for i, groups in enumerate(hidden[j] for j in chosen.tolist()):
        if len(groups):
            lines[i, np.isin(row_texts.datastore.groups, groups)] = -np.inf
    return _top(lines, count)


def _top(table: Array, count: int) -> Ints:
    some = np.argpartition(-table, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(table, some, 1), axis=1, kind="stable")
    top: Ints = np.take_along_axis(some, order, 1)
    return top


def _is_hidden(groups: Ints, chosen: Ints, hidden: Sequence[Ints]) -> NDArray[np.bool_]:
    return np.stack([np.isin(line, hidden[i]) for line, i in zip(groups, chosen, strict=True)])
