"""An approximate index: a graph of near neighbours chooses what a query is compared with.

The graph is HNSW (Malkov & Yashunin 2018, https://arxiv.org/abs/1603.09320) by the package usearch,
over vectors in one byte per number (:mod:`ravl.store.codes`). A search walks through it, and
compares the query with what it meets as it is. Rows that were added or changed after the graph was
built are always compared, and those that were deleted are never found: only vectors that the walk
does not meet can be missed. Their share is measured when the graph is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.store.codes import Codes, encode
from ravl.store.top_k import Positions
from ravl.store.vectors import Vectors
from ravl.threads import cores

if TYPE_CHECKING:
    from usearch.index import Index

MISSING = 'The approximate index needs usearch. Install it with: pip install "ravl[graph]"'
LINKS = 16  # of each vector, in each layer
ADDING = 128  # vectors that are looked at for the place of a new one
WIDTHS = (64, 128, 256, 512, 1024)  # vectors that a search looks at
ENOUGH = 0.98  # recall; a search looks at more vectors where it is less
SAMPLE = 200  # vectors of each kind by which recall is measured
K = 10  # of which neighbours
WIDER = 4  # where scores are corrected for hubs: the graph knows only the plain ones
LATER = 8  # one in so many vectors may be later than the graph; with more, all are compared


@dataclass(frozen=True, slots=True)
class GraphNote:
    """What a memory knows of its graph for one kind of vectors.

    Args:
        sha256: of the file.
        space: of the vectors.
        change: the newest change of the memory that is in it.
        count: of the vectors in it.
        least: searches use it where there are so many vectors, and compare all where fewer.
        width: vectors that a search looks at.
        recall: share of the true ten nearest that are found, for vectors of the same kind.
        recall_across: the same for vectors of the other kind: texts that look for pictures. None
            where the memory has no such vectors.
    """

    sha256: str
    space: int
    change: int
    count: int
    least: int
    width: int
    recall: float
    recall_across: float | None

    @classmethod
    def from_json(cls, found: JsonObject) -> GraphNote:
        """As it was kept; raises KeyError, TypeError or ValueError where it is damaged."""
        numbers = {
            name: int(found[name]) for name in ("space", "change", "count", "least", "width")
        }
        across = found["recall_across"]
        return cls(
            sha256=str(found["sha256"]),
            recall=float(found["recall"]),
            recall_across=None if across is None else float(across),
            **numbers,
        )


class Graph:
    """A graph that is ready to be searched.

    Args:
        note: of it.
        index: the graph.
    """

    def __init__(self, note: GraphNote, index: Index) -> None:
        self.note = note
        self._index = index

    def rows(
        self, vectors: Vectors, queries: Array, k: int, touched: Positions, corrected: bool
    ) -> list[Positions] | None:
        """For each query (q, d) the positions of vectors to compare it with, ascending.

        Args:
            vectors: to search, of any moment.
            queries: to look for.
            k: how many are wanted.
            touched: numbers of the rows that have changed since the graph was built, ascending.
            corrected: True if the scores are corrected for hubs.

        Returns:
            The positions, or None where so much has changed that all are to be compared.
        """
        later = vectors.positions(touched)
        if LATER * len(later) > len(vectors.keys):
            return None
        width = max(self.note.width, 2 * k) * (WIDER if corrected else 1)
        met = met_keys(self._index, queries, min(width, len(self._index)))
        return [np.union1d(places_of(vectors, keys), later) for keys in met]


def met_keys(index: Index, queries: Array, width: int) -> list[Positions]:
    """Keys of the vectors that a walk for each query (q, d) meets, at most ``width``."""
    if not width:
        return [np.zeros(0, np.int64)] * len(queries)
    threads = min(len(queries), cores())
    found = index.search(_numbers(encode(queries)), width, threads=threads)
    keys: NDArray[np.uint64] = np.atleast_2d(found.keys)
    counts = getattr(found, "counts", [keys.shape[1]])  # usearch has another type for one query
    return [keys[i, :count].astype(np.int64) for i, count in enumerate(counts)]


def places_of(vectors: Vectors, keys: Positions) -> Positions:
    """Positions of the vectors with these keys; those that are not there are left out."""
    if not len(vectors.keys):
        return np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(vectors.keys, keys), len(vectors.keys) - 1)
    found: Positions = places[vectors.keys[places] == keys]
    return found


def open_graph(file: Path, note: GraphNote) -> Graph:
    """The graph in a file, mapped into memory, so that processes share it.

    Raises:
        DataError: usearch is not installed, or cannot read the file.
    """
    index = _usearch().restore(str(file), view=True)
    if index is None:
        raise DataError(f"{file} holds no graph.")
    return Graph(note, index)


def build(vectors: Vectors) -> Index:
    """A graph of all vectors but zeros: some 10 minutes of one core for a million.

    Raises:
        DataError: usearch is not installed.
    """
    index = _usearch()(
        ndim=vectors.blocks.shape[1],
        metric="cos",
        dtype="i8",
        connectivity=LINKS,
        expansion_add=ADDING,
    )
    _add(index, vectors, np.arange(len(vectors.keys)))
    return index


def update(file: Path, vectors: Vectors, touched: Positions) -> Index:
    """The graph in a file, brought up to date.

    Args:
        file: of the graph.
        vectors: the present ones.
        touched: numbers of the rows that have changed since the graph was built, ascending.

    Raises:
        DataError: usearch is not installed, or cannot read the file.
    """
    index = _usearch().restore(str(file))
    if index is None:
        raise DataError(f"{file} holds no graph.")
    keys = np.asarray(index.keys, np.int64)
    index.remove(keys[np.isin(keys >> vectors.bits, touched)], compact=False)
    _add(index, vectors, vectors.positions(touched))
    return index


def measured(index: Index, vectors: Vectors, other: Vectors) -> tuple[int, float, float | None]:
    """How many vectors a search has to look at, and its recall, of the same kind and across.

    Args:
        index: the graph.
        vectors: that are in it.
        other: vectors of the other kind.
    """
    own, across = _Asked.of(vectors, vectors), _Asked.of(vectors, other)
    width, recall, recall_across = WIDTHS[0], 0.0, None
    for width in WIDTHS:
        recall = own.recall(index, vectors, width)
        recall_across = across.recall(index, vectors, width) if len(across.queries) else None
        if min(recall, recall if recall_across is None else recall_across) >= ENOUGH:
            break
    return width, recall, recall_across


@dataclass(frozen=True, eq=False)
class _Asked:
    """Queries (q, d), and the positions of their true neighbours (q, k)."""

    queries: Array
    truth: Positions

    @classmethod
    def of(cls, vectors: Vectors, asking: Vectors) -> _Asked:
        """Some of the vectors that ask, evenly, without zeros; none is its own neighbour."""
        count, own = len(asking.keys), asking is vectors
        places = np.arange(0, count, max(1, count // SAMPLE))[:SAMPLE]
        some = asking.blocks[places].astype(np.float32)
        places, some = places[some.any(axis=1)], some[some.any(axis=1)]
        truth = vectors.top(some, K + own)[1]
        if own:
            others = [line[line != place][:K] for line, place in zip(truth, places, strict=True)]
            truth = np.array(others, np.int64).reshape(len(some), -1)
        return cls(some, truth)

    def recall(self, index: Index, vectors: Vectors, width: int) -> float:
        """Share of the neighbours that are found by looking at so many vectors."""
        met = met_keys(index, self.queries, min(width, len(index)))
        found = [
            np.isin(line, places_of(vectors, keys)).sum()
            for line, keys in zip(self.truth, met, strict=True)
        ]
        return float(np.sum(found) / max(1, self.truth.size))


def _add(index: Index, vectors: Vectors, places: Positions) -> None:
    for start in range(0, len(places), 16384):
        some = places[start : start + 16384]
        codes = encode(vectors.blocks[some]) if vectors.codes is None else vectors.codes[some]
        there = codes["scale"] > 0  # zeros are near to nothing
        index.add(vectors.keys[some][there], _numbers(codes[there]), threads=cores())


def _numbers(codes: Codes) -> NDArray[np.int8]:
    """Of codes, (n, d) int8; the scale does not count for a cosine."""
    return np.ascontiguousarray(codes["numbers"])


def _usearch() -> type[Index]:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise DataError(MISSING) from error
    return Index
