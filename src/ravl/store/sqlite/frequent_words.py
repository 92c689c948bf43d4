"""Search by words in a large memory: the rows of each word are kept, and BM25 is a few sums.

FTS5 takes a microsecond and more for each row that has any word of the query, which are all rows
where a query has "a" or "the". Here the rows of a word are read when it is asked for the second
time in a process, and kept; the scores are those of FTS5 to the last bit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.sqlite.bm25 import K1, LEAST_WORTH, B, worth
from ravl.store.sqlite.history import changed_since, newest_change
from ravl.store.sqlite.word_reader import (
    Ints,
    Posting,
    lengths,
    posting,
    postings_of,
    stems,
    totals,
)
from ravl.store.top_k import Positions

MANY = 20_000  # rows; FTS5 is fast enough for fewer
SPARSE = 8  # times the rows; no larger row numbers are kept as positions of an array
FOLLOWED = 1000  # changed rows; after more everything is read again
MOST = 16_000_000  # places of words that are kept, 8 bytes each
MOST_WORDS = 10_000  # whose first asking is remembered


@dataclass(frozen=True, slots=True)
class _Lengths:
    """How many words each row has.

    Args:
        change: of the memory.
        by_row: by row number, 0 for a row that is not there.
        total: of all.
    """

    change: int
    by_row: Ints
    total: int


class FrequentWords:
    """See above. Follows the memory: after a change it reads the words of the rows it touched."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}  # the word of the index, by the word of a query
        self._kept: dict[str, tuple[int, Posting]] = {}  # and of which change, oldest use first
        self._lengths: _Lengths | None = None
        self._lock = threading.Lock()

    def search(
        self,
        connection: sqlite3.Connection,
        words: Sequence[str],
        k: int,
        allowed: Positions | None,
    ) -> list[tuple[int, float]] | None:
        """The k best rows: (row number, score), as :func:`ravl.store.sqlite.bm25.best`.

        Returns:
            None where FTS5 must be asked: the memory is small, a word is new, or fewer than k rows
            have a word that at most half of the rows have.
        """
        rows, total = totals(connection)
        if rows < MANY or k < 1:
            return None
        with self._lock:
            if not self._are_known(words):
                return None
            change = newest_change(connection)
            known = self._follow_lengths(connection, change)
            if known is None or known.total != total or len(known.by_row) > SPARSE * rows:
                self._forget()
                return None
            found = [self._posting(connection, self._asked[word], change) for word in words]
            self._drop_oldest()
        return _best(found, known.by_row, rows, total / rows, k, allowed)

    def _are_known(self, words: Sequence[str]) -> bool:
        """Whether all words were asked for before; from now on they were."""
        new = [word for word in words if word not in self._asked]
        if new and (found := stems(new)) is not None:
            if len(self._asked) > MOST_WORDS:
                self._asked.clear()
            self._asked |= dict(zip(new, found, strict=True))
        return not new

    def _follow_lengths(self, connection: sqlite3.Connection, change: int) -> _Lengths | None:
        """The lengths at a change; None where they are of a later one."""
        old = self._lengths
        if old is not None and old.change == change:
            return old
        if old is not None and old.change > change:  # a snapshot from before
            return None
        touched = None if old is None else changed_since(connection, old.change)
        if old is None or touched is None or len(touched) > FOLLOWED:
            numbers, found = lengths(connection)
            by_row = np.zeros(int(numbers[-1]) + 1 if len(numbers) else 1, np.int32)
        else:
            numbers, found = lengths(connection, touched)
            size = max(len(old.by_row), int(max(touched, default=0)) + 1)
            by_row = np.zeros(size, np.int32)
            by_row[: len(old.by_row)] = old.by_row
            by_row[touched] = 0
        by_row[numbers] = found
        self._lengths = _Lengths(change, by_row, int(by_row.sum(dtype=np.int64)))
        return self._lengths

    def _posting(self, connection: sqlite3.Connection, stem: str, change: int) -> Posting:
        """The rows of a word at a change that is not older than what is kept of it."""
        since, kept = self._kept.pop(stem, (change, None))
        if kept is None:
            kept = posting(connection, stem)
        elif since != change:
            touched = changed_since(connection, since)
            if len(touched) > FOLLOWED:
                kept = posting(connection, stem)
            elif touched:
                fresh = postings_of(connection, touched, [stem])[stem]
                kept = _replaced(kept, np.array(touched, np.int32), fresh)
        self._kept[stem] = change, kept
        return kept

    def _drop_oldest(self) -> None:
        places = sum(len(kept.rows) for _, kept in self._kept.values())
        for stem in list(self._kept)[:-1]:
            if places <= MOST:
                return
            places -= len(self._kept.pop(stem)[1].rows)

    def _forget(self) -> None:
        self._kept.clear()
        self._lengths = None


def _replaced(kept: Posting, touched: Ints, fresh: Posting) -> Posting:
    """The rows of a word after some rows have changed."""
    stays = ~np.isin(kept.rows, touched)
    rows, often = kept.rows[stays], kept.often[stays]
    places = np.searchsorted(rows, fresh.rows)
    return Posting(np.insert(rows, places, fresh.rows), np.insert(often, places, fresh.often))


def _best(
    found: Sequence[Posting],
    by_row: Ints,
    rows: int,
    mean: float,
    k: int,
    allowed: Positions | None,
) -> list[tuple[int, float]] | None:
    """The k best rows for words whose rows are given, None where too few rows have rare words."""
    values = [worth(len(each.rows), rows) for each in found]
    score = np.zeros(len(by_row))
    rare = [i for i, each in enumerate(found) if values[i] > LEAST_WORTH and len(each.rows)]
    for i in rare:
        score[found[i].rows] += values[i] * _gain(found[i].often, by_row[found[i].rows], mean)
    numbers = np.arange(len(score)) if allowed is None else allowed[allowed < len(score)]
    least = 0.0
    if allowed is None:
        for i in rare:  # the k-th best of some rows is a bound for that of all
            if len(found[i].rows) >= k:
                its = score[found[i].rows]
                least = max(least, float(np.partition(its, -k)[-k]))
                break
    else:
        score = score[numbers]
        if len(score) >= k:
            least = float(np.partition(score, -k)[-k])
    # Words that most rows have decide among rows that are equal but for them.
    margin = 3 * LEAST_WORTH * len(found)
    near = np.flatnonzero((score >= least - margin) & (score > 0))
    if len(near) < k:
        return None
    if len(near) > k:
        least = float(np.partition(score[near], -k)[-k])
        near = near[score[near] >= least - margin]
    numbers = numbers[near]
    score = np.zeros(len(numbers))
    for value, each in zip(values, found, strict=True):  # in the order of FTS5, as it rounds
        if len(each.rows):
            places = np.minimum(np.searchsorted(each.rows, numbers), len(each.rows) - 1)
            gain = _gain(each.often[places], by_row[numbers], mean)
            score += np.where(each.rows[places] == numbers, value * gain, 0)
    order = np.lexsort((numbers, -score))[:k]
    return list(zip(numbers[order].tolist(), score[order].tolist(), strict=True))


def _gain(often: Array, length: Ints, mean: float) -> NDArray[np.float64]:
    """What having a word so often gives a row, in the order of FTS5's operations."""
    f = often.astype(np.float64)
    found: NDArray[np.float64] = f * (K1 + 1.0) / (f + K1 * (1 - B + B * length / mean))
    return found
