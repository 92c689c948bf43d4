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
from ravl.store.blocks import BlockList, Blocks
from ravl.store.space import TEXT_BITS
from ravl.tasks.ask.entries import entries_of, question_of
from ravl.tasks.ask.vectors import question_vectors


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryView(View):
    """Entries of a view's rows, see :mod:`ravl.tasks.ask.entries`.

    Args:
        counts: entries of each row with a picture, (N,).
        questions: vectors of the entries' questions, (M, D).
    """

    counts: Ints
    questions: Blocks


@dataclass(frozen=True, eq=False)
class EntryFeatures:
    """Features (M, F + D) of entries: their picture's, and their question's vector after them."""

    pictures: Features
    owners: Ints
    questions: Blocks

    @property
    def shape(self) -> tuple[int, ...]:
        """(M, F + D)."""
        return len(self.owners), self.pictures.shape[1] + self.questions.shape[1]

    def __getitem__(self, positions: Ints) -> Array:
        """Those of some entries, (..., F + D)."""
        parts = self.pictures[self.owners[positions]], self.questions[positions]
        return np.concatenate(parts, axis=-1)


class Entries(Followed[View]):
    """The entries of a memory's rows.

    Args:
        memory: to follow.
        filled: with generated answers where people gave none; None for people's alone.
    """

    def __init__(self, memory: Memory, filled: Filled | None) -> None:
        super().__init__()
        self._memory, self._filled = memory, filled

    def follow(self, known: tuple[View, View] | None, view: View) -> View:
        """Only entries of rows that say something else are made anew."""
        edit = view.edit_since(known[0] if known else None)
        said = view if self._filled is None else self._filled.at(view)
        fresh, owners = entries_of(said.rows_at(edit.added))
        questions = question_vectors(self._memory, [question_of(entry) for entry in fresh])
        counts = np.bincount(owners, minlength=len(edit.added)).astype(np.int64)
        if known is None:
            return _entries(view, counts, BlockList.of(fresh), Blocks.of(questions))
        old = known[1]
        assert isinstance(old, EntryView)
        new_counts = edit.on(old.counts, counts)
        parts = edit.of_parts(old.counts, new_counts)
        return _entries(
            view,
            new_counts,
            old.rows.edited(parts, fresh),
            old.questions.edited(parts, questions),
        )


def _entries(view: View, counts: Ints, rows: BlockList[Row], questions: Blocks) -> EntryView:
    owners = np.repeat(np.arange(len(view)), counts)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return EntryView(
        ids=view.ids[owners] << TEXT_BITS | place,
        stamps=view.stamps[owners],
        # An entry is found by its question as well.
        seen=np.maximum(view.seen, view.stamps)[owners],
        rows=rows,
        twins=view.groups[owners],
        features=EntryFeatures(view.features, owners, questions),
        counts=counts,
        questions=questions,
    )


def question_lookups(view: View) -> tuple[Made, Made]:
    """The questions' vectors (D,) of entries by their position, and which have one."""
    assert isinstance(view, EntryView)

    def has(rows: Ints) -> Array:
        found: Array = np.abs(view.questions[rows]).max(axis=-1, initial=0) > 0
        return found

    return Made(len(view), lambda rows: view.questions[rows]), Made(len(view), has)
