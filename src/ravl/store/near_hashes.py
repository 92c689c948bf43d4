"""Pairs of 64-bit hashes that differ in a few bits, without comparing every hash with every other.

Multi-index hashing (Norouzi, Punjani & Fleet 2012): of two hashes that differ in at most 7 bits,
one of their four bands of 16 bits differs in at most one. So each hash is compared only with those
that have such a band: 17 lists for each of the four bands.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ravl.store.top_k import Positions

BANDS, WIDTH = 4, 16  # together the bits of a hash
FLIPS = (0, *(1 << bit for bit in range(WIDTH)))  # how a band may differ
MOST_BITS = 2 * BANDS - 1  # the largest difference that is found for certain
AT_ONCE = 8_000_000  # comparisons

Hashes = NDArray[np.int64]
Pairs = tuple[Positions, Positions, NDArray[np.uint8]]


def bands(hash: int) -> list[int]:
    """The bands of a hash, the lowest bits first."""
    return [hash >> WIDTH * band & (1 << WIDTH) - 1 for band in range(BANDS)]


def near_pairs(known: Hashes, asked: Hashes, most: int) -> Iterator[Pairs]:
    """All pairs of an asked hash (m,) and a known one (n,) that differ in at most ``most`` bits.

    Args:
        known: hashes to compare with.
        asked: hashes to compare, block by block.
        most: at most ``MOST_BITS``.

    Yields:
        Positions among the asked ones, ascending from block to block, positions among the known
        ones, and in how many bits each pair differs.
    """
    if most > MOST_BITS:
        raise ValueError(f"Hashes are compared up to {MOST_BITS} bits, not {most}.")
    wanted = asked.astype(np.uint64)  # the sign becomes a bit like others
    lists = [_Lists(known.astype(np.uint64), band) for band in range(BANDS)]
    work = np.zeros(len(asked), np.int64)
    for each in lists:
        for flip in FLIPS:
            work += each.sizes[each.of(wanted) ^ flip]
    ends = np.searchsorted(np.cumsum(work), np.arange(AT_ONCE, work.sum() + AT_ONCE, AT_ONCE))
    start = 0
    for end in [*np.unique(ends + 1).tolist(), len(asked)]:
        end = min(end, len(asked))
        if start < end:
            found = list(_of_block(lists, wanted[start:end], most))
            who, whom, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
            order = np.lexsort((whom, bits, who))
            yield who[order] + start, whom[order], bits[order]
            start = end


class _Lists:
    """The positions of hashes by one of their bands."""

    def __init__(self, known: NDArray[np.uint64], band: int) -> None:
        self.band = band
        keys = self.of(known)
        self.order = np.argsort(keys, kind="stable")
        self.hashes = known[self.order]
        self.sizes = np.bincount(keys, minlength=1 << WIDTH)
        self.starts = np.cumsum(self.sizes) - self.sizes

    def of(self, hashes: NDArray[np.uint64]) -> Positions:
        """The band of hashes, (n,)."""
        return (hashes >> np.uint64(WIDTH * self.band) & np.uint64((1 << WIDTH) - 1)).astype(
            np.int64
        )


def _of_block(lists: list[_Lists], asked: NDArray[np.uint64], most: int) -> Iterator[Pairs]:
    for each in lists:
        key = each.of(asked)
        for flip in FLIPS:
            sizes = each.sizes[key ^ flip]
            who = np.repeat(np.arange(len(asked)), sizes)
            first = np.repeat(each.starts[key ^ flip] - (np.cumsum(sizes) - sizes), sizes)
            places = first + np.arange(len(who))
            apart = each.hashes[places] ^ asked[who]
            near = np.flatnonzero(np.bitwise_count(apart) <= most)
            # A pair that an earlier band has found too counts once.
            for other in range(each.band):
                found = np.bitwise_count(lists[other].of(apart[near])) <= 1
                near = near[~found]
            yield who[near], each.order[places[near]], np.bitwise_count(apart[near])
