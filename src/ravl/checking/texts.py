"""Texts that do not fit their picture.

A text is compared with the vector of its picture, and with the texts of the nearest pictures. Each
comparison gives a rank: the share of other pictures that the text fits better than its own. A text
that fits has a small rank; a wrong text has any rank from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from ravl.checking.check_data import CheckData
from ravl.checking.issue import Issue, ranked
from ravl.encoders.base import Array, normalise
from ravl.retrieval.datastore import Ints

OTHERS = 2048  # number of pictures that a text is compared with
LEAST = 32  # minimum number of texts and pictures for useful ranks
STRANGE = 0.5  # minimum rank of a finding
BLOCK = 2048  # texts per block


def misfits(data: CheckData) -> list[Issue]:
    """Texts that fit many other pictures better than their own; the worst text of each row."""
    owners, texts, vectors, pictures = _read(data)
    if len(texts) < LEAST or len(np.unique(owners)) < LEAST:
        return []
    nearby = _neighbour_texts(data, owners, vectors)
    strange = np.sqrt(ranks(vectors, owners, pictures) * ranks(vectors, owners, nearby))
    found: dict[int, Issue] = {}
    for t in np.argsort(-strange, kind="stable").tolist():
        i = int(owners[t])
        if strange[t] < STRANGE:
            break
        if i not in found and data.chosen[i]:
            why = (
                f"{texts[t]!r} fits {strange[t]:.0%} of other pictures better than this one, by "
                "the picture itself and by the texts of its nearest pictures."
            )
            found[i] = Issue(
                "text", (data.id(i),), float(strange[t]), why, None, None, data.nearest_ids(i)
            )
    return ranked(list(found.values()))


def ranks(vectors: Array, owners: Ints, pictures: Array) -> Array:
    """For each text the share of other pictures that are more similar than its own, (T,).

    Args:
        vectors: of the texts, (T, d).
        owners: position of each text's picture, (T,).
        pictures: vectors of the pictures, (N, d); a zero vector means no information: it is left
            out, and the rank of its texts is 0.5.
    """
    speaks = np.asarray(pictures.any(axis=1))
    others = np.flatnonzero(speaks)
    others = others[:: max(1, len(others) // OTHERS)]
    mean = pictures[others].mean(0)  # the mean of all pictures carries no information
    centred = np.where(speaks[:, None], pictures - mean, 0).astype(np.float32)
    found = np.full(len(vectors), 0.5, np.float32)
    for start in range(0, len(vectors), BLOCK):
        some = slice(start, start + BLOCK)
        own = np.einsum("td,td->t", vectors[some], centred[owners[some]])
        scores = vectors[some] @ centred[others].T  # (t, others)
        better = (scores > own[:, None]) & (others != owners[some][:, None])
        found[some] = better.mean(1)
    return np.where(speaks[owners], found, np.float32(0.5))


def _read(data: CheckData) -> tuple[Ints, list[str], Array, Array]:
    """Owners, texts and vectors of the texts that the encoder reads, and the pictures' vectors."""
    memory, datastore = data.memory, data.datastore
    kept, seen = memory.vectors("text_vectors"), memory.vectors()
    pictures = np.zeros((len(datastore), seen.blocks.shape[1]), np.float32)
    where = np.searchsorted(datastore.numbers, seen.rows)
    ours = np.flatnonzero(np.isin(seen.rows, datastore.numbers))
    pictures[where[ours]] = seen.blocks[ours]
    owners = np.searchsorted(datastore.numbers, kept.rows)
    places = kept.keys - (kept.rows << kept.bits)
    lines = [
        (t, i, datastore.rows[i].texts[p])
        for t, (i, p, row) in enumerate(
            zip(owners.tolist(), places.tolist(), kept.rows.tolist(), strict=True)
        )
        if i < len(datastore)
        and datastore.rows[i].number == row
        and p < len(datastore.rows[i].texts)
    ]
    if lines:
        reads = memory.encoder.supports_language
        lines = [line for line in lines if reads(line[2])]
    chosen = np.array([t for t, _, _ in lines], np.int64)
    vectors = kept.blocks[chosen].astype(np.float32)
    return np.array([i for _, i, _ in lines], np.int64), [s for _, _, s in lines], vectors, pictures


def _neighbour_texts(data: CheckData, owners: Ints, vectors: Array) -> Array:
    """Mean text vector of the nearest pictures of each picture, (N, d); zeros without texts."""
    sums = np.zeros((len(data), vectors.shape[1]), np.float32)
    np.add.at(sums, owners, vectors)
    means = normalise(sums)
    neighbours = data.neighbours.positions
    nearby = np.zeros_like(means)
    for j in range(neighbours.shape[1]):  # (N, d) at a time
        nearby += np.where(neighbours[:, j : j + 1] >= 0, means[neighbours[:, j]], 0)
    return normalise(nearby)
