"""Hubness: vectors that are near to everything, and the correction of scores for it.

In spaces of many dimensions some pictures (hubs) are near to the vectors of all texts, and so are
found for questions that they do not answer. Nearest neighbour normalisation (Chowdhury et al. 2024,
https://arxiv.org/abs/2410.24114; in the family of QB-Norm, Bogolin et al. 2022) takes from each
item's score ``strength * hub(item)``, where ``hub`` is the mean of its largest dot products with a
bank of vectors of the opposite kind: texts for pictures, pictures for texts. Here the bank comes
from the memory itself, so that no other data is needed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import MemoryFileError, QueryError
from ravl.store.blocks import Blocks
from ravl.store.contract import Store
from ravl.store.records import KeptHubs
from ravl.store.space import Kind
from ravl.store.top_k import Positions
from ravl.store.vectors import Vectors
from ravl.untrusted import damage_of, parse_json

BANK = 4096  # vectors that tell who is a hub
LEAST = 64  # minimal size of the bank for useful hubs
SHARE = 128  # one in so many of a large bank counts: those nearest to the item
SHARE_OF_FEW = 32  # of a small bank, up to ``FEW`` of them: the nearest one alone is chance
FEW = 8
ITEMS = 1024  # per block: its scores are 16 MB
STRONGEST = 2.0
NOTE = "hubness"


@dataclass(frozen=True, slots=True)
class QueryBank:
    """A sample of vectors of one kind.

    Args:
        rows: (b,) ascending row numbers that they belong to.
        matrix: (b, d) float32.
    """

    rows: Positions
    matrix: Array


def nearest_of(bank: int) -> int:
    """How many vectors of a bank tell how much of a hub an item is: 32 of 4,096, 8 of 256."""
    return max(1, bank // SHARE, min(FEW, bank // SHARE_OF_FEW))


def sample(vectors: Vectors) -> QueryBank:
    """At most ``BANK`` of the vectors, evenly from all; zero vectors, which say nothing, left out.

    They are chosen by a hash of their keys alone (Fibonacci hashing, Knuth 1973, 6.4), so that
    adding or deleting others seldom changes which they are.
    """
    with np.errstate(over="ignore"):
        order = np.argsort(vectors.keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    chosen = np.zeros(0, np.int64)
    for start in range(0, len(order), BANK):
        more = order[start : start + BANK]
        chosen = np.concatenate([chosen, more[vectors.blocks[more].any(axis=1)]])[:BANK]
        if len(chosen) == BANK:
            break
    chosen.sort()
    return QueryBank(vectors.rows[chosen], vectors.blocks[chosen].astype(np.float32))


def hubs(items: Vectors, bank: Vectors) -> Array:
    """How much of a hub each item is, (n,) float32: its mean score with its nearest of the bank.

    How many are the nearest says :func:`nearest_of`. Those of the item's own row are not counted: a
    picture is near to its own texts because they describe it. Takes ``n * b * d`` multiplications,
    with b = min(len(bank), ``BANK``): about as much as searching for b queries.

    Args:
        items: whose hubness is asked.
        bank: vectors of the opposite kind; a :func:`sample` of them is used. With fewer than
            ``LEAST`` that are not zero the answer is zeros.
    """
    return _hubs(items.blocks, items.rows, sample(bank))


def _hubs(matrix: NDArray[np.floating] | Blocks, rows: Positions, bank: QueryBank) -> Array:
    """:func:`hubs` of vectors (n, d), float32 or float16, of these rows (n,), ascending."""
    means = np.zeros(len(matrix), np.float32)
    size = len(bank.rows)
    if size < LEAST:
        return means
    m = nearest_of(size)
    item, own = _same_row(rows, bank.rows)
    for start in range(0, len(matrix), ITEMS):
        stop = min(start + ITEMS, len(matrix))
        some = matrix[np.arange(start, stop)].astype(np.float32, copy=False)
        scores = some @ bank.matrix.T  # (i, b)
        low, high = np.searchsorted(item, (start, stop))
        scores[item[low:high] - start, own[low:high]] = -np.inf
        scores.partition(size - m, axis=1)
        best = scores[:, size - m :]
        counted = np.isfinite(best)  # a row may own nearly all of a small bank
        total = best.sum(axis=1, where=counted)
        means[start:stop] = total / np.maximum(counted.sum(axis=1), 1)
    return means


def _same_row(rows: Positions, bank: Positions) -> tuple[Positions, Positions]:
    """All pairs (item, bank entry) that belong to the same row, ordered by item."""
    first, last = np.searchsorted(rows, bank, "left"), np.searchsorted(rows, bank, "right")
    count = last - first
    own = np.repeat(np.arange(len(bank)), count)
    item = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(len(own))
    order = np.argsort(item, kind="stable")
    return item[order], own[order]


@dataclass(frozen=True, slots=True)
class _Known:
    """The hubs of a memory at one moment: of which items, and by which bank."""

    moment: tuple[int, int, int]  # space, newest change in the items, newest change in the bank
    keys: Positions
    bank: QueryBank
    hubs: Array


class HubCache:
    """Keeps the hubs of one kind of items in memory and follows the store's changes.

    All items cost some 10 s on two cores for 100,000 pictures, see :func:`hubs`; so the hubs that
    were known when the strength was chosen are in the store (:meth:`keep`). After a change only
    the rows that it touched are computed again, unless it changed the bank too: that is seldom in
    a large memory, and cheap in a small one.

    Args:
        store: to read from.
        kind: of the items, ``"vectors"`` or ``"text_vectors"``.
    """

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store = store
        self._kind: Kind = kind
        self._now: _Known | None = None
        self._lock = threading.Lock()

    def read(self, items: Vectors, bank: Vectors) -> Array:
        """The hubs of these items, (n,), by a sample of vectors of the other kind."""
        with self._lock:
            moment = items.space, items.change, bank.change
            if self._now is None or self._now.moment != moment:
                some = sample(bank)
                old = self._now or self._kept(some)
                self._now = self._follow(old, items, some, moment)
            return self._now.hubs

    def keep(self) -> None:
        """Write what is known to the store, for other processes. Needs a transaction."""
        if self._now is not None:
            known = self._now
            hubs = KeptHubs(
                json.dumps(known.moment),
                _digest(known.bank),
                known.keys.tobytes(),
                known.hubs.astype("<f4").tobytes(),
            )
            self._store.notes.keep_hubs(self._kind, hubs)

    def _kept(self, bank: QueryBank) -> _Known | None:
        """What was kept, if this bank told it."""
        found = self._store.notes.hubs(self._kind)
        if found is None or found.bank != _digest(bank):
            return None
        try:
            space, change, of_bank = map(int, parse_json(found.moment))
            keys, values = np.frombuffer(found.keys, np.int64), np.frombuffer(found.hubs, "<f4")
        except (TypeError, ValueError):
            return None  # it is only a cache
        if keys.shape != values.shape or not np.isfinite(values).all():
            return None
        return _Known((space, change, of_bank), keys, bank, values.astype(np.float32))

    def _follow(
        self, old: _Known | None, items: Vectors, bank: QueryBank, moment: tuple[int, int, int]
    ) -> _Known:
        if old is None or not _continues(old, bank, moment):
            return _Known(moment, items.keys, bank, _hubs(items.blocks, items.rows, bank))
        touched = self._store.history.changed_since(old.moment[1])
        values = np.zeros(len(items.keys), np.float32)
        kept = np.zeros(len(items.keys), bool)
        if len(old.keys):
            places = np.minimum(np.searchsorted(old.keys, items.keys), len(old.keys) - 1)
            kept = (old.keys[places] == items.keys) & ~np.isin(items.rows, touched)
            values[kept] = old.hubs[places[kept]]
        values[~kept] = _hubs(items.blocks[np.flatnonzero(~kept)], items.rows[~kept], bank)
        return _Known(moment, items.keys, bank, values)


def _digest(bank: QueryBank) -> str:
    parts = (
        f"{SHARE} {SHARE_OF_FEW} {FEW}".encode(),
        bank.rows.tobytes(),
        bank.matrix.astype("<f4").tobytes(),
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _continues(old: _Known, bank: QueryBank, moment: tuple[int, int, int]) -> bool:
    """True if what was known is still so for the rows that were not touched since."""
    return (
        old.moment[0] == moment[0]
        and old.moment[1] <= moment[1]  # another thread may ask about an earlier moment
        and np.array_equal(old.bank.rows, bank.rows)
        and np.array_equal(old.bank.matrix, bank.matrix)
    )


def check_strength(strength: float) -> None:
    """Refuse a strength out of its range.

    Raises:
        QueryError: it is.
    """
    if not 0 <= strength <= STRONGEST:
        raise QueryError(f"hubness is {strength:g}; it must lie between 0 and {STRONGEST:g}.")


def read_strength(store: Store) -> float:
    """The strength that was chosen for the current encoder; 0 if none was."""
    found = store.notes.get(NOTE)
    if found is None:
        return 0.0
    with damage_of(f"The note on hubness in {store.path}", "Set it again.", MemoryFileError):
        note = parse_json(found)
        strength, space = float(note["strength"]), note["space"]
        if not 0 <= strength <= STRONGEST:
            raise ValueError(f"the strength is {strength:g}")
    # What is best for one encoder says nothing about another.
    return strength if space == store.spaces.state().space else 0.0


def write_strength(store: Store, strength: float) -> None:
    """Choose the strength for the current encoder. Needs a transaction."""
    note = {"strength": float(strength), "space": store.spaces.state().space}
    store.notes.set(NOTE, json.dumps(note))
    store.history.begin(f"hubness {strength:g}")
