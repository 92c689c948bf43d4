"""The caption index of a live view: what rows say, and how rare the phrases are that they use.

How rare a phrase is depends on all rows. It is counted again when a fifth of the rows has changed
since it was counted; until then new texts are compared by the weights as they were.
"""

from __future__ import annotations

from typing import Protocol

from ravl.memory import Memory
from ravl.models.consensus import Comparable
from ravl.retrieval.live import Source, View
from ravl.retrieval.live_datastore import ProjectedKeys, Projection, keys_of, substantial
from ravl.runs.live_texts import FollowedTexts, LiveTexts
from ravl.tasks.caption.consensus import CaptionIndex


class IndexTargets(Protocol):
    """What a task says about the index of its texts."""

    def source(self, memory: Memory) -> Source:
        """The rows that say something."""

    def live_texts(self, memory: Memory) -> FollowedTexts:
        """What they say."""

    def comparing(self, row_texts: LiveTexts) -> Comparable:
        """How their texts are compared."""

    @property
    def whole(self) -> bool:
        """See :class:`CaptionIndex`."""


class FollowedPhrases:
    """How the texts of a memory are compared; counted again when many rows have changed."""

    def __init__(self, targets: IndexTargets) -> None:
        self._targets = targets
        self._known: tuple[View, Comparable] | None = None

    def at(self, row_texts: LiveTexts) -> Comparable:
        """For the texts of a view."""
        view = row_texts.datastore.view
        if self._known is None or substantial(view.edit_since(self._known[0]), len(view)):
            self._known = view, self._targets.comparing(row_texts)
        return self._known[1]


class IndexSource:
    """The index of what a memory's rows say now.

    Args:
        memory: to follow.
        targets: that tell what rows say.
    """

    def __init__(self, memory: Memory, targets: IndexTargets) -> None:
        self._memory, self._targets = memory, targets
        self._rows, self._texts = targets.source(memory), targets.live_texts(memory)
        self._phrases = memory.live.shared(("phrases", targets), lambda: FollowedPhrases(targets))
        self._keys: tuple[Projection, ProjectedKeys] | None = None

    def at(self, view: View, keys: Projection) -> CaptionIndex:
        """What the rows of a view of the memory say, compared by some keys."""
        rows = self._rows.at(view)
        if self._keys is None or self._keys[0] is not keys:
            self._keys = keys, keys_of(self._memory.live, keys)
        row_texts = self._texts.of_datastore(self._keys[1].at(rows))
        return CaptionIndex(row_texts, self._phrases.at(row_texts), self._targets.whole)
