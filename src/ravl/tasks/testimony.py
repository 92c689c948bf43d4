"""Testimony: what the rows of a bank say for one task, made ready for the vote and the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.models.propagation import propagate
from ravl.models.zero_shot import label_vectors
from ravl.retrieval.bank import Bank
from ravl.tasks.labels import LabelTask

PLAIN = ("{}",)  # a label as evidence is its bare name


@dataclass(frozen=True, eq=False)
class Testimony:
    """A bank and what its rows say.

    Args:
        bank: N rows.
        names: C' labels: first those that the model knows, in its order, then those that only
            the memory knows.
        known: how many the model knows, C.
        said: by each row, (N, C'): 1 for its labels; shares where they were propagated.
        worth: how far each row is to be believed, (N,), 0 where it says nothing.
    """

    bank: Bank
    names: list[str]
    known: int
    said: Array
    worth: Array

    @classmethod
    def of(
        cls,
        bank: Bank,
        task: LabelTask,
        labels: Sequence[str],
        spread: bool = False,
        hidden: NDArray[np.bool_] | None = None,
    ) -> Testimony:
        """What a bank says about these labels, and others.

        Args:
            bank: whose rows speak.
            task: that tells what a row says.
            labels: that the model knows.
            spread: propagate labels to the rows that have none.
            hidden: rows (N,) whose own labels must not be used: they are what is being judged.
        """
        known = set(labels)
        names = [*labels, *(name for name in task.names(bank.rows) if name not in known)]
        said = task.table(bank.rows, names)
        if hidden is not None:
            said[hidden] = 0
        worth = (said.sum(1) > 0).astype(np.float32)
        if spread and task.exclusive and 0 < worth.sum() < len(worth):
            said, worth = propagate(bank.keys, said)
        return cls(bank, names, len(labels), said, worth)


@dataclass(frozen=True, eq=False)
class EvidenceArrays:
    """What the fusion model may read of each row of a bank.

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
        cls, testimony: Testimony, features: Array, memory: Memory, task: LabelTask
    ) -> EvidenceArrays:
        """For the rows of a testimony; ``features`` (N, F) are theirs, standardised."""
        vectors = name_vectors(task.encoder(memory), testimony.names)  # (C', D)
        weights = testimony.said * testimony.worth[:, None]
        texts, has_text = task.heard(testimony.bank) or _texts(memory, testimony.bank)
        return cls(
            features,
            normalise(weights @ vectors) * testimony.worth[:, None],
            texts,
            testimony.worth > 0,
            has_text,
        )


def name_vectors(encoder: Encoder, names: Sequence[str]) -> Array:
    """Vectors of bare names, (C, D)."""
    if not names:
        return np.zeros((0, encoder.dimension), np.float32)
    return label_vectors(encoder, names, PLAIN)


def _texts(memory: Memory, bank: Bank) -> tuple[Array, NDArray[np.bool_]]:
    """Mean text vector of each row (N, D), and whether it has one (N,)."""
    vectors = memory.vectors("text_vectors")
    numbers = bank.numbers
    rows = vectors.rows
    places = np.searchsorted(numbers, rows)
    inside = places < len(numbers)
    inside[inside] = numbers[places[inside]] == rows[inside]
    sums = np.zeros((len(numbers), vectors.matrix.shape[1]), np.float32)
    np.add.at(sums, places[inside], vectors.matrix[inside].astype(np.float32))
    counts = np.bincount(places[inside], minlength=len(numbers))
    return normalise(sums), counts > 0
