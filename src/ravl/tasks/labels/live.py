"""The label matrix of a live view: an edit costs the rows that it touches, and no matrix is made.

Label propagation looks at all rows at once. In a memory of at most ``EXACT`` rows it is done again
after each edit. In a larger one it is done again when more than ``LAG`` of the rows have changed;
until then a row that is labelled counts with its label at once, and a row that is new or lost its
label says nothing. The sums of class means keep what was propagated until then, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.models.class_means import KeySums
from ravl.models.evidence import Made
from ravl.models.linear import Standardizer
from ravl.models.propagation import propagate
from ravl.models.vote import LabelTable
from ravl.retrieval.datastore import Ints
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import DatastoreView, ProjectedKeys, Projection, keys_of
from ravl.runs.evidence_arrays import MadeEvidence, name_vectors
from ravl.store.blocks import Blocks
from ravl.tasks.labels.live_sums import LabelSums
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.row_labels import FollowedLabels, RowLabels, columns_of, labels_of
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix

EXACT = 1000  # rows up to which labels are propagated after each edit
LAG = 0.05  # of a larger memory's rows: when more have changed, labels are propagated again


class LiveLabels(LabelMatrix):
    """A label matrix whose rows are made when they are read.

    Args:
        datastore: N rows.
        names, known: see :class:`LabelMatrix`.
        table: what the rows say, (N, C').
        worth: (N,).
        own_counts: see :class:`LabelMatrix`.
        counts: how often each label occurs, (C',); None to count them when needed.
    """

    datastore: DatastoreView

    def __init__(
        self,
        datastore: DatastoreView,
        names: list[str],
        known: int,
        table: LabelTable,
        worth: Array,
        own_counts: Array,
        counts: Array | None = None,
        sums: Callable[[], KeySums] | None = None,
    ) -> None:
        self.__dict__.update(
            datastore=datastore,
            names=names,
            known=known,
            worth=worth,
            own_counts=own_counts,
            _table=table,
            _sums=sums,
        )
        if counts is not None:
            self.__dict__["counts"] = counts

    @property
    def table(self) -> LabelTable:
        """The labels, of which the caller may read only some rows."""
        found: LabelTable = self.__dict__["_table"]
        return found

    @cached_property
    def sums(self) -> KeySums:
        """Sums of the keys of the rows by label; see :mod:`ravl.tasks.labels.live_sums`."""
        followed: Callable[[], KeySums] | None = self.__dict__["_sums"]
        return followed() if followed is not None else super().sums

    @cached_property
    def labels(self) -> Array:
        """By each row, (N, C'), made for all of them."""
        return self.table[np.arange(len(self.datastore))]


@dataclass(frozen=True, eq=False)
class _OwnLabels:
    """What rows say themselves, (N, C')."""

    found: RowLabels
    places: Ints
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.found.codes), self.width

    def __getitem__(self, rows: Ints) -> Array:
        return self.found.table(rows, self.places, self.width)


@dataclass(frozen=True, eq=False)
class _Propagated:
    """Shares (N, C'') of labels that were propagated, by name, and worth (N,).

    Args:
        names, shares, worth: of the labels and rows.
        sums: of the keys of the rows to which labels were propagated.
    """

    names: list[str]
    shares: Blocks
    worth: Array
    sums: KeySums

    def over(self, labels: _OwnLabels, names: Sequence[str]) -> _Both:
        """Together with what the rows say themselves."""
        return _Both(labels, self.shares, self.places(names))

    def places(self, names: Sequence[str]) -> Ints:
        """The place of each of its names among these, -1 for none."""
        places = {name: i for i, name in enumerate(names)}
        return np.array([places.get(name, -1) for name in self.names], np.int64)


@dataclass(frozen=True, eq=False)
class _Both:
    """What rows say themselves, and else what was propagated to them, (N, C')."""

    labels: _OwnLabels
    shares: Blocks
    places: Ints

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    def __getitem__(self, rows: Ints) -> Array:
        found = self.labels[rows]
        silent = self.labels.found.speaks[rows] == 0
        there = np.flatnonzero(self.places >= 0)
        carried = np.zeros_like(found)
        carried[:, self.places[there]] = self.shares[rows][:, there]
        return np.where(silent[:, None], carried, found)


class Propagation(Followed[_Propagated | None]):
    """Labels propagated to rows that have none; None where all rows have one, or no row has."""

    def __init__(self, labels: Sequence[str], rows: FollowedLabels, keys: ProjectedKeys) -> None:
        super().__init__()
        self._labels, self._rows, self._keys = labels, rows, keys
        self._measured: View | None = None

    def follow(
        self, known: tuple[View, _Propagated | None] | None, view: View
    ) -> _Propagated | None:
        """Propagated again, or carried over; see the module."""
        found = self._rows.at(view)
        if not 0 < found.speaks.sum() < len(view):
            self._measured = None
            return None
        old = known[1] if known is not None and self._measured is not None else None
        if known is None or old is None or self._is_due(view):
            self._measured = view
            names, places = columns_of(found, self._labels)
            datastore = self._keys.at(view)
            labels = found.table(np.arange(len(view)), places, len(names))
            keys = datastore.blocks.whole()
            shares, worth = propagate(keys, labels)
            silent = found.speaks == 0
            sums = KeySums.of(keys[silent], shares[silent] * worth[silent][:, None])
            return _Propagated(names, Blocks.of(shares), worth, sums)
        edit = view.edit_since(known[0])
        none = np.zeros((len(edit.added), *old.shares.shape[1:]), np.float32)
        worth = edit.on(old.worth, none[:, 0] if len(none) else np.zeros(0, np.float32))
        return _Propagated(old.names, old.shares.edited(edit, none), worth, old.sums)

    def _is_due(self, view: View) -> bool:
        edits = view.edit_since(self._measured), view.seen_since(self._measured)
        changed = max(len(part) for edit in edits for part in (edit.added, edit.removed))
        return changed > (0 if len(view) <= EXACT else LAG * len(view))


class LabelSource:
    """The label matrix of the present memory.

    Args:
        memory: to follow.
        targets: that tell what a row says.
        keys: by which rows are compared.
        labels: that a model knows; None to take all for known that some row says.
        spread: propagate labels to the rows that have none.
    """

    def __init__(
        self,
        memory: Memory,
        targets: LabelTargets,
        keys: Projection,
        labels: Sequence[str] | None,
        spread: bool = False,
    ) -> None:
        self._known = labels
        self._keys = keys_of(memory.live, keys)
        self._rows = labels_of(memory, targets)
        key = ("sums", targets, id(self._keys))
        self._sums = memory.live.shared(key, lambda: LabelSums(self._rows, self._keys))
        self._spread = None
        if spread and targets.exclusive:
            self._spread = Propagation(labels or [], self._rows, self._keys)

    @classmethod
    def of(cls, predictor: LabelPredictor, memory: Memory) -> LabelSource:
        """As a predictor asks for it."""
        task, spread = predictor.task, predictor.spread
        return cls(memory, task, predictor.keys, list(predictor.labels), spread)

    def at(self, view: View) -> LiveLabels:
        """What the rows of a view say."""
        datastore, found = self._keys.at(view), self._rows.at(view)
        names, places = columns_of(found, self._known or [])
        known = len(names) if self._known is None else len(self._known)
        labels = _OwnLabels(found, places, len(names))
        spread = self._spread.at(view) if self._spread is not None else None
        counts = found.counts_at(places, len(names))

        def sums() -> KeySums:
            own = self._sums.at(view).at(places, len(names))
            return own if spread is None else own + spread.sums.at(spread.places(names), len(names))

        if spread is None:
            speaks = found.speaks
            return LiveLabels(datastore, names, known, labels, speaks, counts, counts, sums)
        worth = np.where(found.speaks > 0, np.float32(1), spread.worth)
        both = spread.over(labels, names)
        return LiveLabels(datastore, names, known, both, worth, counts, sums=sums)


class EvidenceSource:
    """What a reader may read of a memory's rows.

    Args:
        standard: makes features fit for the reader.
        task: whose texts it reads.
        memory: to follow.
    """

    def __init__(self, standard: Standardizer, task: LabelTargets, memory: Memory) -> None:
        self._standard, self._task, self._memory = standard, task, memory
        self._vectors: tuple[Encoder, dict[str, Array]] | None = None

    def at(self, label_matrix: LiveLabels) -> MadeEvidence:
        """Of the rows of a label matrix."""
        datastore, names = label_matrix.datastore, self._names(label_matrix.names)
        texts, has_text = self._task.texts(datastore.view, self._memory)

        def labels(rows: Ints) -> Array:
            flat = rows.ravel()
            weights = label_matrix.table[flat] * label_matrix.worth[flat][:, None]
            found = normalise(weights @ names) * label_matrix.worth[flat][:, None]
            return found.reshape(*rows.shape, names.shape[1])

        return MadeEvidence(
            Made(len(datastore), lambda rows: self._standard(datastore.features_at(rows))),
            Made(len(datastore), labels),
            texts,
            Made(len(datastore), lambda rows: label_matrix.worth[rows] > 0),
            has_text,
        )

    def _names(self, names: Sequence[str]) -> Array:
        """Vectors of bare names, (C, D), each of which is read once."""
        encoder = self._task.encoder(self._memory)
        if self._vectors is None or self._vectors[0] is not encoder:
            self._vectors = encoder, {}
        known = self._vectors[1]
        new = [name for name in names if name not in known]
        known.update(zip(new, name_vectors(encoder, new), strict=True))
        if not names:
            return name_vectors(encoder, names)
        return np.stack([known[name] for name in names])


def evidence_source(predictor: LabelPredictor, memory: Memory) -> EvidenceSource | None:
    """What the reader of a predictor may read; None without a reader that reads evidence."""
    if predictor.reader is None or not predictor.reader.evidence:
        return None
    return EvidenceSource(predictor.standard, predictor.task, memory)
