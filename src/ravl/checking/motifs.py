"""Motifs: what is in the memory more than once, as groups of near-duplicates.

The memory marks those whose perceptual hashes are almost equal (:mod:`ravl.store.duplicates`). A
picture with its margins cut off has another hash, but hardly another key: such pairs are looked for
among the nearest rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ravl.memory import Row
from ravl.retrieval.datastore import Datastore, Neighbours

ALIKE = 0.92  # similarity of keys from which a hash may differ more
MOST_BITS = 14  # of 64, in which the hashes may then differ
BITS = 64


def find_motifs(bank: Datastore, near: Neighbours) -> list[list[int]]:
    """Positions of near-duplicates, two or more in each group.

    Args:
        bank: N rows, with what the memory has marked.
        near: the nearest rows of each that are not marked so, (N, k).
    """
    _, marked, inverse = np.unique(bank.groups, return_index=True, return_inverse=True)
    first = marked[inverse]

    def root(i: int) -> int:
        while first[i] != i:
            i = int(first[i])
        return i

    for a, b in _alike(bank, near):
        low, high = sorted((root(a), root(b)))
        first[high] = low
    members: dict[int, list[int]] = {}
    for i in range(len(bank)):
        members.setdefault(root(i), []).append(i)
    return [its for its in members.values() if len(its) > 1]


def bits(a: Row, b: Row) -> int:
    """In how many bits the hashes of two pictures differ."""
    apart = (a.phash or 0) ^ (b.phash or 0)
    return int((apart & (2**BITS - 1)).bit_count())


def _alike(bank: Datastore, near: Neighbours) -> Iterator[tuple[int, int]]:
    """Pairs of nearest rows whose keys are almost equal and whose hashes are akin."""
    for i, k in zip(*np.nonzero(near.similarity >= ALIKE), strict=True):
        j = int(near.positions[i, k])
        if j >= 0 and bits(bank.rows[i], bank.rows[j]) <= MOST_BITS:
            yield int(i), j
