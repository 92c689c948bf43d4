"""Near-duplicates: pictures that are in the memory twice.

The memory marks those whose perceptual hashes are almost equal (:mod:`ravl.memory.duplicates`). A
picture with its margins cut off has another hash, but hardly another key: such pairs are looked for
among the nearest rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ravl.checking.finding import Finding, ranked
from ravl.checking.ground import Ground
from ravl.memory import Row

ALIKE = 0.92  # likeness of keys from which a hash may differ more
MOST_BITS = 14  # of 64, in which the hashes may then differ
BITS = 64
OTHER_WORDS = 0.75  # of the score, where what is said of them has nothing in common


def duplicates(ground: Ground) -> list[Finding]:
    """Groups of near-duplicates; of each the largest picture stays, and of equal ones the first.

    The score is the likeness of the least like to the one that stays, less by the share of bits
    in which their hashes differ. It is less where texts have nothing in common: the drawings of a
    series, such as an eye in three colours, are as alike as copies. Where labels differ that is to
    be settled first, so that no fix is named.
    """
    found = []
    for its in groups(ground):
        its = sorted(its, key=lambda i: (-_pixels(ground.bank.rows[i]), i))
        rows = [ground.bank.rows[i] for i in its]
        alike = ground.bank.keys[its[1:]] @ ground.bank.keys[its[0]]
        bits = np.array([_bits(row, rows[0]) for row in rows[1:]])
        same = len({row.hash for row in rows}) == 1
        score = 1.0 if same else float(np.clip(alike * (1 - bits / BITS), 0, 1).min())
        why = (
            f"{len(its)} pictures are the same file." if same else
            f"{len(its)} pictures are nearly the same: likeness {alike.min():.2f}, and "
            f"{bits.max()} of {BITS} bits of their hashes differ."
        )  # fmt: skip
        if not same and _other_words(rows):
            score *= OTHER_WORDS
            why += " But their texts differ: they may be two of a series."
        agree = len({row.label for row in rows if row.label}) < 2
        if not agree:
            why += " Their labels differ: settle that first, see the conflicts."
        ids = tuple(row.id for row in rows)
        found.append(Finding("duplicate", ids, score, why, "merge" if agree else None))
    return ranked(found)


def groups(ground: Ground) -> list[list[int]]:
    """Positions of near-duplicates, two or more in each group, with a chosen one among them."""
    first = np.arange(len(ground))

    def root(i: int) -> int:
        while first[i] != i:
            i = int(first[i])
        return i

    for a, b in (*_marked(ground), *_alike(ground)):
        low, high = sorted((root(a), root(b)))
        first[high] = low
    members: dict[int, list[int]] = {}
    for i in range(len(ground)):
        members.setdefault(root(i), []).append(i)
    return [its for its in members.values() if len(its) > 1 and ground.chosen[its].any()]


def _marked(ground: Ground) -> Iterator[tuple[int, int]]:
    for its in ground.twins:
        yield from ((its[0], i) for i in its[1:])


def _alike(ground: Ground) -> Iterator[tuple[int, int]]:
    """Pairs of nearest rows whose keys are almost equal and whose hashes are akin."""
    rows, near = ground.bank.rows, ground.near
    for i, k in zip(*np.nonzero(near.likeness >= ALIKE), strict=True):
        j = int(near.positions[i, k])
        if j >= 0 and _bits(rows[i], rows[j]) <= MOST_BITS:
            yield int(i), j


def _other_words(rows: list[Row]) -> bool:
    """True where one of the rows says something, and nothing that the first says."""
    first = set(rows[0].texts)
    return bool(first) and any(row.texts and not first & set(row.texts) for row in rows[1:])


def _bits(a: Row, b: Row) -> int:
    apart = (a.phash or 0) ^ (b.phash or 0)
    return int((apart & (2**BITS - 1)).bit_count())


def _pixels(row: Row) -> int:
    return (row.width or 0) * (row.height or 0)
