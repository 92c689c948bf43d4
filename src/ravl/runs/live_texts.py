"""The texts of a live view: an edit costs the texts of the rows that it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, normalise
from ravl.memory import Memory, Row
from ravl.models.evidence import Evidence, Made
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import DatastoreView
from ravl.runs.evidence_arrays import MadeEvidence
from ravl.runs.row_texts import RowTexts
from ravl.store.blocks import BlockList, Blocks, Edit, spans


class TextReading(Protocol):
    """What a task says about its texts."""

    def of(self, row: Row) -> tuple[str, ...]:
        """The texts that a row says."""

    def read(
        self, memory: Memory, rows: Sequence[Row], texts_by_row: Sequence[Sequence[str]]
    ) -> Array:
        """Vectors (T, D) of what rows say."""


@dataclass(frozen=True, eq=False)
class Texts:
    """What N rows say at one moment.

    Args:
        counts: texts of each row, (N,).
        texts: T of them, row by row.
        vectors: theirs, (T, D); None where they are read when somebody asks for them.
    """

    counts: Ints
    texts: BlockList[str]
    vectors: Blocks | None


class FollowedTexts(Followed[Texts]):
    """The texts of a view's rows.

    Args:
        memory: to follow.
        targets: that tell what a row says.
        unread: with the texts in a language that the encoder does not read.
        vectors: keep all vectors, to look for texts that are like another.
    """

    def __init__(
        self, memory: Memory, targets: TextReading, unread: bool, vectors: bool = False
    ) -> None:
        super().__init__()
        self._memory, self._targets = memory, targets
        self._unread, self._vectors = unread, vectors

    def follow(self, known: tuple[View, Texts] | None, view: View) -> Texts:
        """Only the texts of rows that say something else are read."""
        edit = view.edit_since(known[0] if known else None)
        if known is not None and not edit:
            return known[1]
        rows, reads = view.rows_at(edit.added), self._memory.encoder.supports_language
        texts_by_row = [
            [t for t in self._targets.of(row) if self._unread or reads(t)] for row in rows
        ]
        if known is not None:
            new = _differ(known, view, edit, texts_by_row)
            edit = Edit(*new[:2])
            rows, texts_by_row = [rows[i] for i in new[2]], [texts_by_row[i] for i in new[2]]
        fresh = [text for its in texts_by_row for text in its]
        counts = np.array([len(its) for its in texts_by_row], np.int64)
        vectors = self._targets.read(self._memory, rows, texts_by_row) if self._vectors else None
        if known is None:
            blocks = None if vectors is None else Blocks.of(vectors)
            return Texts(counts, BlockList.of(fresh), blocks)
        old = known[1]
        new_counts = edit.on(old.counts, counts)
        parts = edit.of_parts(old.counts, new_counts)
        kept = None
        if vectors is not None and old.vectors is not None:
            kept = old.vectors.edited(parts, vectors)
        return Texts(new_counts, old.texts.edited(parts, fresh), kept)

    def of_datastore(self, datastore: DatastoreView) -> LiveTexts:
        """The texts of the rows of a datastore."""
        return LiveTexts(datastore, self.at(datastore.view), self._memory, self._targets)


def _differ(
    known: tuple[View, Texts], view: View, edit: Edit, texts_by_row: Sequence[Sequence[str]]
) -> tuple[Ints, Ints, list[int]]:
    """An edit without the rows whose texts are as they were, and which of those added are left."""
    old, texts = known
    starts = np.cumsum(texts.counts) - texts.counts
    places = np.searchsorted(old.ids, view.ids[edit.added])
    stay = set()
    left = []
    for i, (new, before) in enumerate(zip(edit.added.tolist(), places.tolist(), strict=True)):
        # Features that are seen anew may be of another encoder, which reads texts otherwise.
        there = before < len(old) and old.ids[before] == view.ids[new]
        if there and old.seen[before] == view.seen[new]:
            first, count = int(starts[before]), int(texts.counts[before])
            if texts.texts[first : first + count] == list(texts_by_row[i]):
                stay.add(before)
                continue
        left.append(i)
    removed = np.array([i for i in edit.removed.tolist() if i not in stay], np.int64)
    return removed, edit.added[left], left


class LiveTexts(RowTexts):
    """The texts of a view's rows, whose vectors are gathered when somebody asks for them.

    Args:
        datastore: N rows.
        found: what they say.
        memory: that they are of.
        targets: that tell what a row says.
    """

    datastore: DatastoreView
    texts: BlockList[str]

    def __init__(
        self, datastore: DatastoreView, found: Texts, memory: Memory, targets: TextReading
    ) -> None:
        self.__dict__.update(datastore=datastore, texts=found.texts)
        self.__dict__.update(_found=found, _memory=memory, _targets=targets)

    @property
    def found(self) -> Texts:
        """What the rows say."""
        found: Texts = self.__dict__["_found"]
        return found

    @cached_property
    def owners(self) -> Ints:
        """Position of each text's row, (T,)."""
        return np.repeat(np.arange(len(self.datastore)), self.found.counts)

    @cached_property
    def starts(self) -> Ints:
        """Position of each row's first text, (N + 1,)."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.found.counts)])

    @cached_property
    def has(self) -> NDArray[np.bool_]:
        """Whether each row says anything, (N,)."""
        return self.found.counts > 0

    @cached_property
    def vectors(self) -> Array:
        """Of the texts, (T, D), copied or read."""
        return self.vectors_at(np.arange(len(self.texts)))

    def vectors_at(self, texts: Ints) -> Array:
        """Of some texts, (t, D)."""
        if self.found.vectors is not None:
            return self.found.vectors[texts]
        rows = self.datastore.view.rows_at(self.owners[texts])
        memory: Memory = self.__dict__["_memory"]
        targets: TextReading = self.__dict__["_targets"]
        return targets.read(memory, rows, [[text] for text in self.texts.at(texts)])

    def means_at(self, rows: Ints) -> Array:
        """Mean text vectors of some rows, (..., D)."""
        flat = rows.ravel()
        vectors = self.vectors_at(spans(self.found.counts, flat))
        sums = np.zeros((len(flat), vectors.shape[1]), np.float32)
        np.add.at(sums, np.repeat(np.arange(len(flat)), self.found.counts[flat]), vectors)
        return normalise(sums).reshape(*rows.shape, -1)

    def evidence(self, standard: Standardizer) -> Evidence:
        """Pictures and mean texts of the rows, as a reader reads them."""
        datastore = self.datastore

        def pictures(rows: Ints) -> Array:
            return standard(datastore.features_at(rows))

        def silent(rows: Ints) -> NDArray[np.bool_]:
            return np.zeros(rows.shape, bool)

        count, means = len(datastore), Made(len(datastore), self.means_at)
        labels = Made(count, lambda rows: np.zeros_like(self.means_at(rows)))
        has = Made(count, lambda rows: self.has[rows])
        return MadeEvidence(Made(count, pictures), labels, means, Made(count, silent), has)

    def _products(self, vectors: Array) -> Array:
        if self.found.vectors is None:
            return super()._products(vectors)
        return np.concatenate([vectors @ part.T for part in self.found.vectors.parts], axis=1)
