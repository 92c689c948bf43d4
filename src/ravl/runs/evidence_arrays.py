"""What a fusion model or a generator may read of each row of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.models.evidence import Made
from ravl.models.zero_shot import label_vectors
from ravl.retrieval.datastore import Datastore, Ints
from ravl.store.vectors import Vectors

PLAIN = ("{}",)  # a label as evidence is its bare name


class TextReader(Protocol):
    """What a task says about the texts of its evidence."""

    def encoder(self, memory: Memory) -> Encoder:
        """Whose text vectors the reader sees."""

    def text_vectors(self, datastore: Datastore) -> tuple[Array, NDArray[np.bool_]] | None:
        """Text vectors of the rows (N, D), and which have one (N,); None to use their captions."""


class Votes(Protocol):
    """What rows say, as :class:`ravl.tasks.labels.votes.LabelMatrix` has it."""

    @property
    def datastore(self) -> Datastore:
        """N rows."""

    @property
    def names(self) -> list[str]:
        """What can be said, C' names."""

    @property
    def labels(self) -> Array:
        """By each row, (N, C')."""

    @property
    def worth(self) -> Array:
        """How far each row is to be believed, (N,)."""


@dataclass(frozen=True, eq=False)
class EvidenceArrays:
    """What the fusion model may read of each row of a datastore.

    Args:
        features: of the pictures, standardised, (N, F).
        labels: text vectors of what rows are called, (N, D); zeros where nothing.
        texts: means of the rows' text vectors, (N, D).
        has_label, has_text: (N,).
    """

    features: Array
    labels: Array
    texts: Array
    has_label: NDArray[np.bool_]
    has_text: NDArray[np.bool_]

    @classmethod
    def of(
        cls, label_matrix: Votes, features: Array, memory: Memory, task: TextReader
    ) -> EvidenceArrays:
        """For the rows of a label matrix; ``features`` (N, F) are theirs, standardised."""
        vectors = name_vectors(task.encoder(memory), label_matrix.names)  # (C', D)
        weights = label_matrix.labels * label_matrix.worth[:, None]
        texts, has_text = task.text_vectors(label_matrix.datastore) or _texts(
            memory, label_matrix.datastore
        )
        return cls(
            features,
            normalise(weights @ vectors) * label_matrix.worth[:, None],
            texts,
            label_matrix.worth > 0,
            has_text,
        )


@dataclass(frozen=True, eq=False)
class MadeEvidence:
    """The same of a live view's rows, each made when it is read.

    Args:
        features, labels, texts, has_label, has_text: as of :class:`EvidenceArrays`.
    """

    features: Made
    labels: Made
    texts: Made
    has_label: Made
    has_text: Made


def name_vectors(encoder: Encoder, names: Sequence[str]) -> Array:
    """Vectors of bare names, (C, D)."""
    if not names:
        return np.zeros((0, encoder.dimension), np.float32)
    return label_vectors(encoder, names, PLAIN)


def _texts(memory: Memory, datastore: Datastore) -> tuple[Array, NDArray[np.bool_]]:
    """Mean text vector of each row (N, D), and whether it has one (N,)."""
    vectors = memory.vectors("text_vectors")
    numbers = datastore.numbers
    rows = vectors.rows
    places = np.searchsorted(numbers, rows)
    inside = places < len(numbers)
    inside[inside] = numbers[places[inside]] == rows[inside]
    sums = np.zeros((len(numbers), vectors.blocks.shape[1]), np.float32)
    np.add.at(sums, places[inside], vectors.blocks[np.flatnonzero(inside)].astype(np.float32))
    counts = np.bincount(places[inside], minlength=len(numbers))
    return normalise(sums), counts > 0


def caption_means(ids: Ints, vectors: Vectors) -> tuple[Made, Made]:
    """Mean text vector (D,) of rows by their position, and whether a row has one.

    Args:
        ids: numbers of the rows, (N,), ascending.
        vectors: of the memory's texts.
    """

    def spans(rows: Ints) -> tuple[Ints, Ints]:
        numbers = ids[rows.ravel()]
        first = np.searchsorted(vectors.keys, numbers << vectors.bits)
        last = np.searchsorted(vectors.keys, (numbers + 1) << vectors.bits)
        return first, last - first

    def means(rows: Ints) -> Array:
        first, counts = spans(rows)
        starts = np.repeat(first - (np.cumsum(counts) - counts), counts)
        which = starts + np.arange(len(starts))
        sums = np.zeros((rows.size, vectors.blocks.shape[1]), np.float32)
        owners = np.repeat(np.arange(rows.size), counts)
        np.add.at(sums, owners, vectors.blocks[which].astype(np.float32))
        return normalise(sums).reshape(*rows.shape, -1)

    def has(rows: Ints) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = spans(rows)[1].reshape(rows.shape) > 0
        return found

    return Made(len(ids), means), Made(len(ids), has)
