"""The knowledge of a live view: texts without a picture, and what pictures are called.

Passages are made again when such a text was added, changed or deleted, since how rare a word is
depends on all of them. An edit of a picture's row costs that row's hint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders import Encoder
from ravl.memory import Memory
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import MemoryProjection, ProjectedKeys, keys_of
from ravl.runs.row_texts import base_of
from ravl.store.blocks import BlockList
from ravl.tasks.ask.knowledge import Knowledge, hint_of
from ravl.tasks.ask.passages import Passages


@dataclass(frozen=True, eq=False)
class Hints:
    """What N pictures are called, and whether they are called anything, (N,)."""

    texts: BlockList[str]
    named: NDArray[np.bool_]


class FollowedHints(Followed[Hints]):
    """The hints of a view's rows."""

    def follow(self, known: tuple[View, Hints] | None, view: View) -> Hints:
        """Only rows that say something else are read."""
        edit = view.edit_since(known[0] if known else None)
        fresh = [hint_of(row) for row in view.rows_at(edit.added)]
        named = np.array([bool(hint) for hint in fresh], bool)
        if known is None:
            return Hints(BlockList.of(fresh), named)
        old = known[1]
        return Hints(old.texts.edited(edit, fresh), edit.on(old.named, named))


class FollowedPassages(Followed[Passages | None]):
    """The passages of a view's texts without a picture; None where there is no such text."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self._memory = memory
        self._base: Encoder | None = None

    def follow(self, known: tuple[View, Passages | None] | None, view: View) -> Passages | None:
        """As they were, unless one of the texts has changed, or the encoder."""
        base = base_of(self._memory.encoder)
        same = known is not None and known[0].others_stamp == view.others_stamp
        if known is not None and same and self._base is base:
            return known[1]
        self._base = base
        return Passages.of_rows(view.others, base)


class KnowledgeSource:
    """What a memory's texts say now.

    Args:
        memory: to follow.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._passages = memory.live.shared("passages", lambda: FollowedPassages(memory))
        self._hints = memory.live.shared("hints", FollowedHints)
        self._projection = memory.live.shared("projection", MemoryProjection)
        self._keys: tuple[KeyProjection, ProjectedKeys] | None = None

    def at(self, view: View, keys: KeyProjection | None) -> Knowledge | None:
        """What the texts of a view say; None where it has none without a picture.

        Args:
            view: of the memory.
            keys: of pictures; None for the memory's own.
        """
        passages = self._passages.at(view)
        if passages is None:
            return None
        if not len(view):
            return Knowledge(passages, None, None, [], np.zeros(0, bool))
        keys = keys or self._projection.at(view)
        if self._keys is None or self._keys[0] is not keys:
            self._keys = keys, keys_of(self._memory.live, keys)
        hints = self._hints.at(view)
        return Knowledge(passages, self._keys[1].at(view), keys, hints.texts, hints.named)
