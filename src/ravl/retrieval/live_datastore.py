"""The datastore of a live view: what answers are found in, without reading all rows anew."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Protocol

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Datastore, Ints
from ravl.retrieval.key_projection import DIRECTIONS, KeyProjection
from ravl.retrieval.live import Followed, Live, View
from ravl.store.blocks import SIZE, Blocks, Edit
from ravl.store.top_k import top_k

CHANGED = 0.2  # share of rows after which what is true of the whole memory is measured again


class Projection(Protocol):
    """Features (n, F) to keys (n, d); see :class:`KeyProjection`."""

    def __call__(self, features: Array) -> Array:
        """Features (n, F) -> keys (n, d)."""

    def arrays(self) -> dict[str, Array]:
        """All that it has."""


class DatastoreView(Datastore):
    """A datastore that is a view; its arrays are in blocks, which other views share.

    ``features`` and ``keys`` as whole arrays are copies, made when somebody asks for them.

    Args:
        view: of the memory.
        blocks: the keys of its rows, (N, d).
    """

    view: View
    blocks: Blocks

    def __init__(self, view: View, blocks: Blocks) -> None:
        self.__dict__.update(view=view, blocks=blocks, rows=view.rows, groups=view.groups)

    @cached_property
    def features(self) -> Array:
        """Of the frozen tower, (N, F), copied."""
        return self.view.features[np.arange(len(self))]

    @cached_property
    def keys(self) -> Array:
        """What they are compared by, (N, d), copied."""
        found: Array = self.blocks.whole()
        return found

    def features_at(self, positions: Ints) -> Array:
        """Features of some rows, (..., F)."""
        return self.view.features[positions]

    def keys_at(self, positions: Ints) -> Array:
        """Keys of some rows, (..., d)."""
        return self.blocks[positions]

    def _top(self, keys: Array, k: int, allowed: Ints | None) -> tuple[Array, Ints]:
        return top_k(self.blocks, keys, k, allowed)


class ProjectedKeys(Followed[DatastoreView]):
    """The datastore whose keys are made by one projection; see :func:`keys_of`."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        self._projection = projection

    def follow(self, known: tuple[View, DatastoreView] | None, view: View) -> DatastoreView:
        """Keys of the rows whose features are new are projected."""
        edit = view.seen_since(known[0] if known else None)
        if known is not None and not edit:
            return DatastoreView(view, known[1].blocks)
        parts = [
            self._projection(view.features[edit.added[i : i + SIZE]])
            for i in range(0, max(len(edit.added), 1), SIZE)
        ]
        if known is None:
            return DatastoreView(view, Blocks(parts))
        return DatastoreView(view, known[1].blocks.edited(edit, np.concatenate(parts)))


class MemoryProjection(Followed[KeyProjection]):
    """The projection of a memory's own features, for answers without a run.

    It is measured again when a fifth of the rows has changed since: principal directions of
    thousands of pictures do not turn for a few, and finding them takes seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._measured: View | None = None

    def follow(self, known: tuple[View, KeyProjection] | None, view: View) -> KeyProjection:
        """The projection as it was, or measured again."""
        if known is not None and not substantial(view.seen_since(self._measured), len(view)):
            return known[1]
        self._measured = view
        return projection_of(view)


def projection_of(view: View, directions: int = DIRECTIONS) -> KeyProjection:
    """The projection of a view's features, see :attr:`View.principal`."""
    return view.principal.keys(directions)


def substantial(edit: Edit, count: int) -> bool:
    """Whether an edit has changed a good part of what are so many rows now."""
    return max(len(edit.added), len(edit.removed)) > CHANGED * count


def keys_of(live: Live, projection: Projection) -> ProjectedKeys:
    """The keys of a memory's rows by a projection, shared by all that use an equal one."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(projection.arrays().items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return live.shared(("keys", digest.digest()), lambda: ProjectedKeys(projection))
