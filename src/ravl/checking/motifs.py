"""Motifs: pictures that are in the memory more than once, as groups of near-duplicates.

The memory marks pictures with almost equal perceptual hashes (:mod:`ravl.store.duplicates`). A
cropped picture has another hash, but nearly the same key: such pairs are searched among the nearest
rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ravl.memory import Row
from ravl.retrieval.datastore import Datastore, Neighbours

ALIKE = 0.92  # minimum similarity of keys for hashes that differ more
MOST_BITS = 14  # bits of 64 in which the hashes may then differ
BITS = 64


def find_motifs(datastore: Datastore, neighbours: Neighbours) -> list[list[int]]:
    """Positions of near-duplicates, two or more in each group.

    Args:
        datastore: N rows, with the marks of the memory.
        neighbours: the nearest rows of each row, without marked near-duplicates, (N, k).
    """
    _, marked, inverse = np.unique(datastore.groups, return_index=True, return_inverse=True)
    first = marked[inverse]

    def root(i: int) -> int:
        while first[i] != i:
            i = int(first[i])
        return i

    for a, b in _alike(datastore, neighbours):
        low, high = sorted((root(a), root(b)))
        first[high] = low
    members: dict[int, list[int]] = {}
    for i in range(len(datastore)):
        members.setdefault(root(i), []).append(i)
    return [its for its in members.values() if len(its) > 1]


def bits(a: Row, b: Row) -> int:
    """The number of bits in which two hashes differ."""
    apart = (a.phash or 0) ^ (b.phash or 0)
    return int((apart & (2**BITS - 1)).bit_count())


def _alike(datastore: Datastore, neighbours: Neighbours) -> Iterator[tuple[int, int]]:
    """Pairs of nearest rows with almost equal keys and similar hashes."""
    for i, k in zip(*np.nonzero(neighbours.similarity >= ALIKE), strict=True):
        j = int(neighbours.positions[i, k])
        if j >= 0 and bits(datastore.rows[i], datastore.rows[j]) <= MOST_BITS:
            yield int(i), j
