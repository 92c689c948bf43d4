"""Near-duplicates: pictures that the memory has more than once, see :mod:`ravl.checking.motifs`."""

from __future__ import annotations

import numpy as np

from ravl.checking.check_data import CheckData
from ravl.checking.issue import Issue, ranked
from ravl.checking.motifs import BITS, bits
from ravl.memory import Row

OTHER_WORDS = 0.75  # factor of the score if the texts have nothing in common


def duplicates(data: CheckData) -> list[Issue]:
    """Groups of near-duplicates; the largest picture stays, and among equal ones the first.

    The score is the smallest similarity to the picture that stays, minus the share of bits in which
    the hashes differ. It is lower if the texts have nothing in common: the drawings of a series,
    such as an eye in three colours, are as similar as copies. If labels differ, there is no fix:
    the conflict must be resolved first.
    """
    found = []
    for its in data.motifs:
        its = sorted(its, key=lambda i: (-_pixels(data.datastore.rows[i]), i))
        rows = [data.datastore.rows[i] for i in its]
        alike = data.datastore.keys[its[1:]] @ data.datastore.keys[its[0]]
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
            why += " But their texts differ: they may belong to a series."
        agree = len({row.label for row in rows if row.label}) < 2
        if not agree:
            why += " Their labels differ: resolve this first, see the conflicts."
        ids = tuple(row.id for row in rows)
        found.append(Issue("duplicate", ids, score, why, "merge" if agree else None))
    return ranked(found)


def _other_words(rows: list[Row]) -> bool:
    """True if one of the rows has texts, but none in common with the first row."""
    first = set(rows[0].texts)
    return bool(first) and any(row.texts and not first & set(row.texts) for row in rows[1:])


def _pixels(row: Row) -> int:
    return (row.width or 0) * (row.height or 0)
