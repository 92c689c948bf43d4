"""Near-duplicates: pictures that are in the memory twice, see :mod:`ravl.checking.motifs`."""

from __future__ import annotations

import numpy as np

from ravl.checking.ground import FitData
from ravl.checking.issue import Issue, ranked
from ravl.checking.motifs import BITS, bits
from ravl.memory import Row

OTHER_WORDS = 0.75  # of the score, where what is said of them has nothing in common


def duplicates(ground: FitData) -> list[Issue]:
    """Groups of near-duplicates; of each the largest picture stays, and of equal ones the first.

    The score is the similarity of the least like to the one that stays, less by the share of bits
    in which their hashes differ. It is less where texts have nothing in common: the drawings of a
    series, such as an eye in three colours, are as alike as copies. Where labels differ that is to
    be settled first, so that no fix is named.
    """
    found = []
    for its in ground.motifs:
        its = sorted(its, key=lambda i: (-_pixels(ground.bank.rows[i]), i))
        rows = [ground.bank.rows[i] for i in its]
        alike = ground.bank.keys[its[1:]] @ ground.bank.keys[its[0]]
        apart = np.array([bits(row, rows[0]) for row in rows[1:]])
        same = len({row.hash for row in rows}) == 1
        score = 1.0 if same else float(np.clip(alike * (1 - apart / BITS), 0, 1).min())
        why = (
            f"{len(its)} pictures are the same file."
            if same
            else f"{len(its)} pictures are nearly the same: similarity {alike.min():.2f}, and "
            f"{apart.max()} of {BITS} bits of their hashes differ."
        )
        if not same and _other_words(rows):
            score *= OTHER_WORDS
            why += " But their texts differ: they may be two of a series."
        agree = len({row.label for row in rows if row.label}) < 2
        if not agree:
            why += " Their labels differ: settle that first, see the conflicts."
        ids = tuple(row.id for row in rows)
        found.append(Issue("duplicate", ids, score, why, "merge" if agree else None))
    return ranked(found)


def _other_words(rows: list[Row]) -> bool:
    """True where one of the rows says something, and nothing that the first says."""
    first = set(rows[0].texts)
    return bool(first) and any(row.texts and not first & set(row.texts) for row in rows[1:])


def _pixels(row: Row) -> int:
    return (row.width or 0) * (row.height or 0)
