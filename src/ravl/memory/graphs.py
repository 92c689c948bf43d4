"""Building the approximate index of a memory, or bringing it up to date."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ravl.json_types import JsonObject
from ravl.store import graph_file
from ravl.store.collection import Collection
from ravl.store.graph import GraphNote, build, measured, update
from ravl.store.space import Kind

LEAST = 1_000_000  # vectors from which searches use a graph, unless the user says otherwise
ANEW = 0.2  # share of changed rows from which a graph is built anew
OTHER: dict[Kind, Kind] = {"vectors": "text_vectors", "text_vectors": "vectors"}


@dataclass(frozen=True, slots=True)
class GraphReport:
    """One graph of a memory.

    Args:
        file: where it is.
        vectors: in it.
        later: rows that were added or changed since it was built; they are always compared.
        least: vectors from which searches use it.
        looks_at: vectors that a search looks at.
        recall: share of the true ten nearest that are found, for vectors of the same kind.
        recall_across: the same for vectors of the other kind; None where there are none.
        used: whether searches use it now.
    """

    file: Path
    vectors: int
    later: int
    least: int
    looks_at: int
    recall: float
    recall_across: float | None
    used: bool

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {**asdict(self), "file": str(self.file)}


def build_graphs(memory: Collection, least: int = LEAST) -> list[GraphReport]:
    """See :meth:`ravl.memory.Memory.build_graphs`."""
    for kind in graph_file.NAMES:
        _build(memory, kind, least)
    return describe_graphs(memory)


def remove_graphs(memory: Collection) -> int:
    """See :meth:`ravl.memory.Memory.remove_graphs`."""
    with memory.store.transaction():
        return len(graph_file.remove(memory.store))


def describe_graphs(memory: Collection) -> list[GraphReport]:
    """The present graphs of a memory."""
    found, store = [], memory.store
    with store.snapshot():
        state = store.spaces.state()
        for kind in graph_file.NAMES:
            note, file = graph_file.read_note(store, kind), graph_file.file_of(memory.path, kind)
            if note is None or note.space != state.space:
                continue
            there = store.vectors.count(kind)
            used = there >= note.least and graph_file.is_whole(file, note)
            later = len(store.history.changed_since(note.change))
            found.append(
                GraphReport(
                    file=file,
                    vectors=note.count,
                    later=later,
                    least=note.least,
                    looks_at=note.width,
                    recall=note.recall,
                    recall_across=note.recall_across,
                    used=used,
                )
            )
    return found


def _build(memory: Collection, kind: Kind, least: int) -> None:
    store, file = memory.store, graph_file.file_of(memory.path, kind)
    with store.snapshot():
        vectors, other = memory.vectors(kind), memory.vectors(OTHER[kind])
        note = graph_file.read_note(store, kind)
        known = note is not None and note.space == vectors.space and graph_file.is_whole(file, note)
        touched = np.array(store.history.changed_since(note.change if note else 0), np.int64)
    if not len(vectors.keys):
        return
    if known and len(touched) <= ANEW * len(vectors.keys):
        index = update(file, vectors, touched)
    else:
        index = build(vectors)
    width, recall, across = measured(index, vectors, other)
    digest = graph_file.save(index, file)
    new = GraphNote(
        sha256=digest,
        space=vectors.space,
        change=vectors.change,
        count=len(index),
        least=least,
        width=width,
        recall=round(recall, 4),
        recall_across=None if across is None else round(across, 4),
    )
    with store.transaction():
        graph_file.write_note(store, kind, new)
