"""What is written, about what, and what the memory's rows say for it.

Captions are the usual case. A task that writes about something else, such as answers to questions
about pictures, says here what is otherwise, and all the rest serves it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.evaluation.generation import CAPTIONS, TextKind
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.models.consensus import Comparable, Phrases
from ravl.models.linear import Standardizer
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Source
from ravl.retrieval.live_datastore import Projection
from ravl.runs.live_texts import FollowedTexts, LiveTexts
from ravl.runs.row_texts import RowTexts, TextTargets
from ravl.tasks.caption.consensus import CONSENSUS, CaptionIndex, consensus
from ravl.tasks.caption.evidence import nothing_said
from ravl.tasks.caption.task import CaptionTask


@dataclass(frozen=True, slots=True)
class CaptionTargets(TextTargets):
    """A text about each picture: its caption, or what a column of the user's own holds."""

    name: ClassVar[str] = CaptionTask.name
    noun: ClassVar[str] = CaptionTask.noun  # what one text is called
    output_kind: ClassVar[TextKind] = CAPTIONS
    unit: ClassVar[str] = "picture"  # what it is about
    quotes: ClassVar[int] = 3  # texts that a generator reads word for word, without a fit

    @property
    def instruction(self) -> str:
        """The instruction of generators that read one, if the user gives none."""
        return ""

    def examples(
        self,
        rows: Sequence[Row],
        features: Array,
        memory: Memory,  # noqa: ARG002
    ) -> tuple[list[Row], Array, Ints]:
        """What is written about, of some pictures: see :meth:`LabelTargets.examples`."""
        return list(rows), features, np.arange(len(rows))

    def count(self, rows: Sequence[Row]) -> int:
        """How many examples some pictures are."""
        return len(rows)

    def question(self, row: Row) -> str:  # noqa: ARG002 (for those that override it)
        """What is asked of an example; empty for a description."""
        return ""

    def datastore(self, memory: Memory, keys: Any = None) -> Datastore:
        """The memory's rows as they may be evidence; without keys they are compared by their own.

        Raises:
            DataError: there is no such row.
        """
        return read_datastore(memory, keys)

    def keys(self, features: Array) -> Projection:
        """Keys for the features of examples, (n, F)."""
        return KeyProjection.of(features)

    def keys_of(self, arrays: Mapping[str, Array]) -> Projection:
        """Keys out of a file of arrays."""
        return KeyProjection.from_arrays(arrays)

    def standard(self, features: Array) -> Standardizer:
        """What makes features (n, F) fit for a generator."""
        return Standardizer.of(features)

    def index_texts(self, datastore: Datastore, memory: Memory) -> CaptionIndex:
        """What a datastore's rows say."""
        row_texts = self.row_texts(datastore, memory)
        return CaptionIndex(row_texts, self.comparing(row_texts), self.whole)

    def row_texts(self, datastore: Datastore, memory: Memory) -> RowTexts:
        """The texts of the rows, in whatever language, with their vectors."""
        return RowTexts.of(datastore, self, memory, unread=True)

    @property
    def composes(self) -> bool:
        """Whether new texts may be made of parts of others: captions, not what a column holds."""
        return self.column is None

    @property
    def whole(self) -> bool:
        """Whether texts are answers, which are the same or not; see :class:`CaptionIndex`."""
        return False

    def source(self, memory: Memory) -> Source:
        """The same rows as :meth:`datastore` has, as a live view."""
        return Source(memory.live)

    def live_texts(self, memory: Memory) -> FollowedTexts:
        """What the rows of a live view say, in whatever language."""
        return memory.live.shared(("texts", self), lambda: FollowedTexts(memory, self, unread=True))

    def comparing(self, row_texts: RowTexts | LiveTexts) -> Comparable:
        """How the texts of rows are compared."""
        return Phrases.of(row_texts.texts, row_texts.owners)

    def own_keys(self, pictures: KeyProjection) -> Projection:
        """Keys for examples without a run, from those of the memory's pictures."""
        return pictures

    def fitting(self, texts: Sequence[str]) -> CaptionTargets:  # noqa: ARG002
        """The same for a memory that has these texts."""
        return self

    def vote(self, rows: int, k: int = 0) -> Vote:
        """How texts count in a memory of so many rows that say something; k 0 for as usual."""
        return consensus(rows, k or CONSENSUS.k)

    def silent(self, memory: Memory) -> DataError:
        """Why a memory has nothing to say."""
        return nothing_said(memory, self)

    def to_json(self) -> JsonObject:
        """What ``run.json`` says of it."""
        return {"task": self.name, "column": self.column, "generated": self.generated}
