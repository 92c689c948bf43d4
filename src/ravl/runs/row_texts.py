"""Texts for the task match: what rows say, and their vectors by the base encoder.

Pairs are scored in the space of the *base* encoder, also where the memory's retriever was trained:
so a run stays true when the retriever is trained again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ravl.data import Example, Scalar
from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.encoders.trained import TrainedEncoder
from ravl.memory import Memory, Row
from ravl.models.evidence import Evidence
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Datastore, Ints
from ravl.runs import generated
from ravl.runs.evidence_arrays import EvidenceArrays

WIDEST = 2**23  # cosines at a time
MOST_TEXTS = 100  # of one picture; a picture with a thousand captions is still one picture


def base_of(encoder: Encoder) -> Encoder:
    """The pretrained encoder below a trained one, or the encoder itself."""
    return encoder.base if isinstance(encoder, TrainedEncoder) else encoder


@dataclass(frozen=True, slots=True)
class TextTargets:
    """Where a row's texts are.

    Args:
        column: of the user's own that holds the text; None for the row's captions.
        generated: let a caption that ``ravl augment`` wrote are used for a row that has no texts of
            people's.
    """

    noun: ClassVar[str] = "text"  # what one answer is called
    column: str | None = None
    generated: bool = False

    def of(self, row: Row | Example) -> tuple[str, ...]:
        """The different texts that a row says, empty where it says nothing."""
        if self.column is not None:
            return _one(row.columns.get(self.column))
        texts_by_row = tuple(dict.fromkeys(text for text in row.texts if text.strip()))
        return texts_by_row or (_one(row.columns.get(generated.CAPTION)) if self.generated else ())

    def read(
        self, memory: Memory, rows: Sequence[Row], texts_by_row: Sequence[Sequence[str]]
    ) -> Array:
        """Vectors (T, D) of what rows of a memory say."""
        return text_vectors(memory, rows, texts_by_row, self)


def readable(task: TextTargets, base: Encoder, row: Row | Example) -> list[str]:
    """The texts of a row that the encoder reads, at most ``MOST_TEXTS``."""
    return [text for text in task.of(row) if base.supports_language(text)][:MOST_TEXTS]


def _one(value: Scalar) -> tuple[str, ...]:
    return (str(value),) if value is not None and str(value).strip() else ()


@dataclass(frozen=True, eq=False)
class RowTexts:
    """What the rows of a datastore say.

    Args:
        datastore: N rows.
        texts: T of them, row by row.
        vectors: of the texts, (T, D), L2-normalised.
        owners: position in the datastore of each text's row, (T,), ascending.
    """

    datastore: Datastore
    texts: Sequence[str]
    vectors: Array
    owners: Ints

    @classmethod
    def of(
        cls, datastore: Datastore, task: TextTargets, memory: Memory, unread: bool = False
    ) -> RowTexts:
        """The texts of a datastore's rows, with the vectors that the memory has, or made now.

        Args:
            datastore: whose rows speak.
            task: where their texts are.
            memory: that the datastore is of.
            unread: with the texts in a language that the encoder does not read; they are all alike
                to it, so that they are left out where vectors decide.
        """
        reads = memory.encoder.supports_language
        texts_by_row = [
            [text for text in task.of(row) if unread or reads(text)] for row in datastore.rows
        ]
        texts = [text for its in texts_by_row for text in its]
        owners = np.repeat(np.arange(len(datastore)), [len(its) for its in texts_by_row]).astype(
            np.int64
        )
        vectors = text_vectors(memory, datastore.rows, texts_by_row, task)
        return cls(datastore, texts, vectors, owners)

    @cached_property
    def has(self) -> NDArray[np.bool_]:
        """Whether each row says anything, (N,)."""
        return np.bincount(self.owners, minlength=len(self.datastore)) > 0

    @cached_property
    def means(self) -> Array:
        """Mean text vector of each row, (N, D); zeros for one that says nothing."""
        sums = np.zeros((len(self.datastore), self.vectors.shape[1]), np.float32)
        np.add.at(sums, self.owners, self.vectors)
        return normalise(sums)

    def similarity(self, vectors: Array) -> Array:
        """Cosine of each text (t, D) to the best text of each row, (t, N); -1 without any."""
        found = np.full((len(vectors), len(self.datastore)), -1.0, np.float32)
        if len(self.owners):
            step = max(1, WIDEST // len(self.owners))
            for i in range(0, len(vectors), step):
                cosines = self._products(vectors[i : i + step])
                best = np.maximum.reduceat(cosines, self.starts[:-1][self.has], axis=1)
                found[i : i + step, self.has] = best
        return found

    def _products(self, vectors: Array) -> Array:
        """Of texts (t, D) with all texts, (t, T)."""
        products: Array = vectors @ self.vectors.T
        return products

    @cached_property
    def starts(self) -> Ints:
        """Position of each row's first text, (N + 1,)."""
        return np.searchsorted(self.owners, np.arange(len(self.datastore) + 1)).astype(np.int64)

    def vectors_at(self, texts: Ints) -> Array:
        """Of some texts, (t, D)."""
        return self.vectors[texts]

    def means_at(self, rows: Ints) -> Array:
        """Mean text vectors of some rows, (..., D)."""
        return self.means[rows]

    def evidence(self, standard: Standardizer) -> Evidence:
        """Pictures and mean texts of the rows, as a reader reads them."""
        nothing = np.broadcast_to(np.zeros(1, np.float32), self.means.shape)
        silent = np.zeros(len(self.datastore), bool)
        return EvidenceArrays(
            standard(self.datastore.features), nothing, self.means, silent, self.has
        )


def text_vectors(
    memory: Memory, rows: Sequence[Row], texts_by_row: Sequence[Sequence[str]], task: TextTargets
) -> Array:
    """Base vectors of what rows say, (T, D) in their order; only what is not kept is read now."""
    encoder = memory.encoder
    base = base_of(encoder)
    texts = [text for its in texts_by_row for text in its]
    known: dict[str, Array] = {}
    if task.column is None:  # generated ones are not kept
        known = dict(_kept(memory, rows, encoder))
    new = list(dict.fromkeys(text for text in texts if text not in known))
    known.update(zip(new, base.embed_texts(new), strict=True))
    if not texts:
        return np.zeros((0, base.dimension), np.float32)
    return np.stack([known[text] for text in texts])


def _kept(memory: Memory, rows: Sequence[Row], encoder: Encoder) -> Iterator[tuple[str, Array]]:
    """Texts with the base's vectors that the memory keeps: its own, or a part of the trained."""
    skipped = 0
    if isinstance(encoder, TrainedEncoder):
        if encoder.text_share == 1:
            return  # the base's part is zeros
        skipped = encoder.text_head.dimension
    kept = memory.vectors("text_vectors")
    texts: list[str] = []
    places = [np.zeros(0, np.int64)]
    for row in rows:
        start = int(np.searchsorted(kept.keys, row.number << kept.bits))
        keys = (row.number << kept.bits) + np.arange(len(row.texts))
        # A row that changed since the vectors were read is left out.
        if np.array_equal(kept.keys[start : start + len(keys)], keys):
            texts += row.texts
            places.append(np.arange(start, start + len(keys)))
    found = kept.blocks[np.concatenate(places)][:, skipped:].astype(np.float32)
    yield from zip(texts, normalise(found), strict=True)
