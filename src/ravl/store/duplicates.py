"""Near-duplicates: pictures whose perceptual hashes and vectors are both almost equal.

Either alone is wrong too often: hashes of simple drawings collide, and vectors of two different
red shirts may nearly coincide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.contract import Store
from ravl.store.near_hashes import near_pairs
from ravl.store.row import Row

# The similarity that vectors must have, by the bits of 64 in which the perceptual hashes differ. A
# photograph at half its size differs in 0 to 2 bits, but its vectors may be as unlike as 0.53; the
# drawings of a series (playing cards, road signs) reach 6 bits and 0.9 though they differ.
LEAST_LIKENESS = (0.5, 0.5, 0.5, 0.75, 0.75, 0.95, 0.95)
MOST_BITS = len(LEAST_LIKENESS) - 1
SAMPLE = 256  # vectors from which the similarity of unrelated pictures is estimated
MOST_CANDIDATES = 32  # per row; ten thousand blank pages must not make fifty million pairs
FEW = 64  # new pictures up to which each is looked up by itself
BLOCK = 64  # pictures of another memory compared with all at a time
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


@dataclass(frozen=True, slots=True)
class Compared:
    """Pictures that were compared outside of a transaction.

    Args:
        since: the change up to which pictures had been compared before.
        change: the newest change that was seen.
        pairs: of rows that are near-duplicates.
    """

    since: int
    change: int
    pairs: list[tuple[int, int]]


def compare_pictures(store: Store) -> Compared:
    """Compare new pictures with all others, for :func:`mark_duplicates`; writes nothing.

    Where few pictures are new, it leaves all of it to that.
    """
    with store.snapshot():
        since = compared_up_to(store)
        changed = store.history.changed_since(since)
        if len(changed) <= FEW:
            return Compared(since, since, [])
        return Compared(since, store.history.newest_change(), _alike(store, changed, None))


def mark_duplicates(store: Store, compared: Compared | None = None) -> DuplicateGroups:
    """Compare new pictures with all others, and note their groups. Needs a transaction.

    Args:
        store: of the memory.
        compared: pictures that were compared before the transaction; those that have changed since
            are compared here.
    """
    since = compared_up_to(store)
    if compared is None or compared.since != since:  # another process has done it meanwhile
        compared = Compared(since, since, [])
    later = store.history.changed_since(compared.change)
    touched = set(later)
    pairs = [pair for pair in compared.pairs if touched.isdisjoint(pair)]
    pairs += _alike(store, later, _few_near(store, later) if len(later) <= FEW else None)
    groups = _join(store, pairs)
    store.rows.group({row: min(rows) for rows in groups for row in rows})
    store.notes.set(NOTE, str(store.history.newest_change()))
    ids = {each.row: each.id for each in store.rows.pictures(rows=set().union(*groups))}
    return DuplicateGroups([tuple(ids[row] for row in sorted(rows)) for rows in groups])


def _join(store: Store, pairs: Sequence[tuple[int, int]]) -> list[set[int]]:
    """The groups that pairs are in, with what was in these groups before, the earliest first."""
    involved = store.rows.pictures(rows={row for pair in pairs for row in pair})
    members: dict[int, set[int]] = {}
    for each in store.rows.pictures(groups={each.group for each in involved}):
        members.setdefault(each.group, {each.group}).add(each.row)
    group = {row: first for first, rows in members.items() for row in rows}
    touched: set[int] = set()
    for a, b in pairs:
        first, second = sorted((group.get(a, a), group.get(b, b)))
        if first != second:
            members.setdefault(first, {first}).update(members.pop(second, {second}))
        group.update(dict.fromkeys(members[first], first))
        touched = (touched - {second}) | {first}
    return [members[first] for first in sorted(touched)]


Near = list[tuple[int, int, int]]  # a new row, another one, and in how many bits they differ


def _few_near(store: Store, changed: Sequence[int]) -> Near | None:
    """Pairs of a few new pictures and others, by the index; None where there is none."""
    asked = store.rows.pictures(rows=changed)
    new = {each.row: each.phash for each in asked if each.duplicate_of is None}
    near: Near = []
    for row, phash in new.items():
        if phash is None:
            continue
        found = store.rows.similar_pictures(phash, MOST_BITS)
        if found is None:
            return None
        others = (each for each in found if each.row < row or each.row not in new)
        pairs = [
            (row, each.row, ((each.phash or 0) ^ phash) & 2**64 - 1)
            for each in others
            if each.row != row
        ]
        its = [(a, b, apart.bit_count()) for a, b, apart in pairs]
        near += sorted(its, key=lambda pair: pair[2])[:MOST_CANDIDATES]
    return near


def _all_near(store: Store, changed: Sequence[int]) -> tuple[Near, list[int]]:
    """Pairs of new pictures and others, by all hashes, and a sample of rows."""
    rows, hashes = store.rows.perceptual_hashes()
    grouped = list(store.rows.duplicates())
    fresh = np.isin(rows, changed) & ~np.isin(rows, grouped)
    near: Near = []
    for a, others, bits in _nearest(hashes, np.flatnonzero(fresh), fresh):
        near += [(int(rows[a]), int(rows[b]), n) for b, n in zip(others, bits, strict=True)]
    return near, rows[:: max(1, len(rows) // SAMPLE)].tolist()


def _nearest(
    hashes: NDArray[np.int64], new: NDArray[np.int64], fresh: NDArray[np.bool_]
) -> Iterator[tuple[int, list[int], list[int]]]:
    """For each new position those of the nearest hashes, and in how many bits they differ.

    Each pair of new ones comes once: with the earlier one. Equal hashes are compared once, since
    there may be ten thousand blank pages.
    """
    values, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    starts = np.cumsum(counts) - counts
    mine = new[np.argsort(which[new], kind="stable")]  # by their hashes
    asked, first_of = np.unique(which[mine], return_index=True)
    ends = np.append(first_of[1:], len(mine))
    for who, whom, bits in near_pairs(values, values[asked], MOST_BITS):
        lonely = (asked[who] == whom) & (counts[whom] == 1)
        who, whom, bits = who[~lonely], whom[~lonely], bits[~lonely]
        for i in np.unique(who).tolist():
            first, last = np.searchsorted(who, (i, i + 1))
            for a in mine[first_of[i] : ends[i]].tolist():
                found: list[tuple[int, int]] = []
                for other, apart in zip(
                    whom[first:last].tolist(), bits[first:last].tolist(), strict=True
                ):
                    if len(found) >= MOST_CANDIDATES and apart > found[-1][0]:
                        break
                    its = order[starts[other] : starts[other] + counts[other]]
                    its = its[(its < a) | ((its != a) & ~fresh[its])][:MOST_CANDIDATES]
                    found += [(apart, int(b)) for b in its]
                found = sorted(found)[:MOST_CANDIDATES]
                yield a, [b for _, b in found], [apart for apart, _ in found]


def _alike(store: Store, changed: Sequence[int], near: Near | None) -> list[tuple[int, int]]:
    """Pairs of a new row and any other one that are near-duplicates.

    Args:
        store: of the memory.
        changed: rows that may be new.
        near: pairs whose hashes are near, None to look for them among all hashes.
    """
    sample: Sequence[int] | None = None
    if near is None:
        near, sample = _all_near(store, changed)
    if not near:
        return []
    if sample is None:
        sample = store.rows.sample_of_pictures(SAMPLE)
    wanted = {row for a, b, _ in near for row in (a, b)}
    vectors = store.vectors.read("vectors", wanted.union(sample))
    chance = _chance([vectors[row] for row in sample if row in vectors])
    return [
        (a, b)
        for a, b, bits in near
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
