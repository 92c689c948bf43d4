"""Near-duplicates: pictures whose perceptual hashes and vectors are both almost equal.

Either alone is wrong too often: hashes of simple drawings collide, and vectors of two different
red shirts may nearly coincide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.contract import Store
from ravl.store.records import PictureHashes
from ravl.store.row import Row

# The similarity that vectors must have, by the bits of 64 in which the perceptual hashes differ. A
# photograph at half its size differs in 0 to 2 bits, but its vectors may be as unlike as 0.53; the
# drawings of a series (playing cards, road signs) reach 6 bits and 0.9 though they differ.
LEAST_LIKENESS = (0.5, 0.5, 0.5, 0.75, 0.75, 0.95, 0.95)
MOST_BITS = len(LEAST_LIKENESS) - 1
SAMPLE = 256  # vectors from which the similarity of unrelated pictures is estimated
MOST_CANDIDATES = 32  # per row; ten thousand blank pages must not make fifty million pairs
BLOCK = 64  # new rows compared with all others at a time
NOTE = "twins checked"  # the newest change when pictures were compared last


@dataclass(frozen=True, slots=True)
class DuplicateGroups:
    """Groups of near-duplicates that include a new picture.

    Args:
        groups: each the ids of two or more rows, the earliest first.
    """

    groups: list[tuple[str, ...]]

    @property
    def pictures(self) -> int:
        """How many pictures could go without losing a motif."""
        return sum(len(group) - 1 for group in self.groups)


def compared_up_to(store: Store) -> int:
    """Number of the newest change of a row when pictures were compared last; 0 before."""
    note = store.notes.get(NOTE) or ""
    return int(note) if note.isdecimal() and len(note) < 19 else 0


def mark_duplicates(store: Store) -> DuplicateGroups:
    """Compare new pictures with all others, and note their groups. Needs a transaction."""
    known = [each for each in store.rows.hashes() if each.phash is not None]
    changed = set(store.history.changed_since(compared_up_to(store)))
    new = [each.row for each in known if each.duplicate_of is None and each.row in changed]
    members: dict[int, set[int]] = {}
    for each in known:
        if each.duplicate_of is not None:
            members.setdefault(each.duplicate_of, {each.duplicate_of}).add(each.row)
    group = {row: first for first, rows in members.items() for row in rows}
    touched: set[int] = set()
    for a, b in _alike(store, new, known):
        first, second = sorted((group.get(a, a), group.get(b, b)))
        if first != second:
            members.setdefault(first, {first}).update(members.pop(second, {second}))
        group.update(dict.fromkeys(members[first], first))
        touched = (touched - {second}) | {first}
    store.rows.group({row: first for first in touched for row in members[first]})
    store.notes.set(NOTE, str(store.history.newest_change()))
    ids = {each.row: each.id for each in known}
    return DuplicateGroups(
        [tuple(ids[row] for row in sorted(members[first])) for first in sorted(touched)]
    )


def _alike(
    store: Store, new: Sequence[int], known: Sequence[PictureHashes]
) -> list[tuple[int, int]]:
    """Pairs of a new row and any other one that are near-duplicates."""
    rows = np.array([each.row for each in known], np.int64)
    hashes = np.array([each.phash for each in known], np.int64)
    fresh = np.isin(rows, new)
    pairs: list[tuple[int, int, int]] = []
    for start in range(0, len(new), BLOCK):
        some = np.array(new[start : start + BLOCK], np.int64)
        mine = hashes[np.searchsorted(rows, some)]
        bits = np.bitwise_count(mine[:, None] ^ hashes[None, :])  # (block, n)
        for a, row_bits in zip(some.tolist(), bits, strict=True):
            # Each pair of new ones once: with the earlier one.
            near = np.flatnonzero((row_bits <= MOST_BITS) & ((rows < a) | ((rows != a) & ~fresh)))
            near = near[np.argsort(row_bits[near], kind="stable")[:MOST_CANDIDATES]]
            pairs += [(a, int(rows[j]), int(row_bits[j])) for j in near]
    if not pairs:
        return []
    sample = rows[:: max(1, len(rows) // SAMPLE)].tolist()
    wanted = {row for a, b, _ in pairs for row in (a, b)}
    vectors = store.vectors.read("vectors", wanted.union(sample))
    chance = _chance([vectors[row] for row in sample if row in vectors])
    return [
        (a, b)
        for a, b, bits in pairs
        if a in vectors and b in vectors and _related(vectors[a], vectors[b], chance, bits)
    ]


def _chance(vectors: list[Array]) -> float:
    """The cosine that unrelated pictures have: 0 for the builtin encoder, about 0.5 for CLIP."""
    if len(vectors) < SAMPLE // 4:  # too few to tell
        return 0.0
    upper = np.triu_indices(len(vectors), 1)
    matrix = np.stack(vectors)
    return float(np.clip(np.median((matrix @ matrix.T)[upper]), 0, 0.9))


def groups_like(store: Store, rows: Sequence[Row], vectors: Array) -> list[NDArray[np.int64]]:
    """For each picture from elsewhere the groups here that show it, or a near-duplicate of it.

    Args:
        store: of this memory.
        rows: of another memory, n, with their hashes.
        vectors: of their pictures by the same encoder, (n, d).

    Returns:
        For each the numbers of groups: of the first row of near-duplicates, or of a row alone.
    """
    known = [each for each in store.rows.hashes() if each.phash is not None]
    if not known:
        return [np.zeros(0, np.int64) for _ in rows]
    numbers = np.array([each.row for each in known], np.int64)
    groups = np.array([each.group for each in known], np.int64)
    hashes = np.array([each.phash for each in known], np.int64)
    same: dict[str, list[int]] = {}
    for each in known:
        same.setdefault(each.hash, []).append(each.group)
    near: list[list[tuple[int, int]]] = []
    for start in range(0, len(rows), BLOCK):
        some = np.array([row.phash or 0 for row in rows[start : start + BLOCK]], np.int64)
        bits = np.bitwise_count(some[:, None] ^ hashes[None, :])  # (block, n)
        for line in bits:
            close = np.flatnonzero(line <= MOST_BITS)
            close = close[np.argsort(line[close], kind="stable")[:MOST_CANDIDATES]]
            near.append([(int(j), int(line[j])) for j in close])
    sample = numbers[:: max(1, len(numbers) // SAMPLE)].tolist()
    wanted = {int(numbers[j]) for pairs in near for j, _ in pairs}
    ours = store.vectors.read("vectors", wanted.union(sample))
    chance = _chance([ours[row] for row in sample if row in ours])
    found = []
    for row, vector, pairs in zip(rows, vectors, near, strict=True):
        like = set(same.get(row.hash or "", []))
        for j, bits_apart in pairs:
            other = ours.get(int(numbers[j]))
            if other is not None and _related(vector, other, chance, bits_apart):
                like.add(int(groups[j]))
        found.append(np.array(sorted(like), np.int64))
    return found


def _related(a: Array, b: Array, chance: float, bits: int) -> bool:
    """True where the vectors are as alike as near-duplicates whose hashes differ so far."""
    return (float(a @ b) - chance) / (1 - chance) >= LEAST_LIKENESS[bits]
