"""The live view of answered questions: an edit costs the questions of the rows that it touches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.memory import Memory, Row
from ravl.models.evidence import Made
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Features, Followed, View
from ravl.runs.generated import Filled
from ravl.store.blocks import BlockList, Blocks, Edit
from ravl.store.space import TEXT_BITS
from ravl.tasks.ask.entries import entries_of, question_of
from ravl.tasks.ask.vectors import question_features


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryView(View):
    """Entries of a view's rows, see :mod:`ravl.tasks.ask.entries`.

    Args:
        counts: entries of each row with a picture, (N,).
        pictures: stamps of the features of each entry's picture, (M,).
        questions: vectors of the entries' questions and their words, (M, D + words).
    """

    counts: Ints
    pictures: Ints
    questions: Blocks


@dataclass(frozen=True, eq=False)
class EntryFeatures:
    """Features (M, F + D + words) of entries: their picture's, and their question's after them."""

    pictures: Features
    owners: Ints
    questions: Blocks

    @property
    def shape(self) -> tuple[int, ...]:
        """(M, F + D + words)."""
        return len(self.owners), self.pictures.shape[1] + self.questions.shape[1]

    def __getitem__(self, positions: Ints) -> Array:
        """Those of some entries, (..., F + D + words)."""
        parts = self.pictures[self.owners[positions]], self.questions[positions]
        return np.concatenate(parts, axis=-1)


class Entries(Followed[View]):
    """The entries of a memory's rows.

    Args:
        memory: to follow.
        filled: with generated answers where people gave none; None for people's alone.
        words: columns of the questions' words.
    """

    def __init__(self, memory: Memory, filled: Filled | None, words: int) -> None:
        super().__init__()
        self._memory, self._filled, self._words = memory, filled, words

    def follow(self, known: tuple[View, View] | None, view: View) -> View:
        """Only entries of rows that say something else are made anew."""
        edit = view.edit_since(known[0] if known else None)
        filled = view if self._filled is None else self._filled.at(view)
        fresh, owners = entries_of(filled.rows_at(edit.added))
        counts = np.bincount(owners, minlength=len(edit.added)).astype(np.int64)
        if known is None:
            return self._view(view, counts, BlockList.of(fresh), None)
        old = known[1]
        assert isinstance(old, EntryView)
        new_counts = edit.on(old.counts, counts)
        rows = old.rows.edited(edit.of_parts(old.counts, new_counts), fresh)
        return self._view(view, new_counts, rows, old)

    def _view(
        self, view: View, counts: Ints, rows: BlockList[Row], old: EntryView | None
    ) -> EntryView:
        owners = np.repeat(np.arange(len(view)), counts)
        place = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        ids, stamps = view.ids[owners] << TEXT_BITS | place, view.stamps[owners]
        pictures = view.seen[owners]
        # An entry is found by its picture and its question: other words of its row do not count.
        seen = stamps if old is None else _seen(old, ids, stamps, pictures, rows)
        edit = Edit.all(len(ids)) if old is None else Edit.between(old.ids, old.seen, ids, seen)
        asked = [question_of(entry) for entry in rows.at(edit.added)]
        fresh = question_features(self._memory, asked, self._words)
        questions = Blocks.of(fresh) if old is None else old.questions.edited(edit, fresh)
        return EntryView(
            ids=ids,
            stamps=stamps,
            seen=seen,
            rows=rows,
            twins=view.groups[owners],
            features=EntryFeatures(view.features, owners, questions),
            counts=counts,
            pictures=pictures,
            questions=questions,
        )


def _seen(old: EntryView, ids: Ints, stamps: Ints, pictures: Ints, rows: BlockList[Row]) -> Ints:
    """Stamps (M,) of what entries are found by: as they were, where picture and question are."""
    seen = stamps.copy()
    if not len(old):
        return seen
    before = np.minimum(np.searchsorted(old.ids, ids), len(old) - 1)
    there = (old.ids[before] == ids) & (old.pictures[before] == pictures)
    same = there & (old.stamps[before] == stamps)
    seen[same] = old.seen[before[same]]
    for i in np.flatnonzero(there & ~same).tolist():
        if question_of(old.rows[int(before[i])]) == question_of(rows[i]):
            seen[i] = old.seen[before[i]]
    return seen


def question_lookups(view: View, words: int) -> tuple[Made, Made]:
    """The questions' vectors (D,) of entries by their position, and which have one."""
    assert isinstance(view, EntryView)
    dimension = view.questions.shape[1] - words

    def vectors(rows: Ints) -> Array:
        return view.questions[rows][..., :dimension]

    def has(rows: Ints) -> Array:
        found: Array = np.abs(vectors(rows)).max(axis=-1, initial=0) > 0
        return found

    return Made(len(view), vectors), Made(len(view), has)
