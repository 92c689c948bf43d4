"""Open answers: a generator writes what the answer to a question about a picture is.

Examples are entries, see :mod:`ravl.tasks.ask.entries`, and all that is true of captions and of
what writes them holds for answers as well: neighbours that speak, evidence, a choice among texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ravl.data import Example
from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.evaluation.generation import ANSWERS, TextKind
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.models.consensus import Comparable
from ravl.models.linear import Standardizer
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Source
from ravl.runs.live_texts import LiveTexts
from ravl.runs.row_texts import RowTexts, base_of
from ravl.tasks.ask.alike import Alike
from ravl.tasks.ask.answers import people
from ravl.tasks.ask.entries import counts, question_of
from ravl.tasks.ask.keys import VOTE, AskKeys
from ravl.tasks.ask.targets import AnswerTargets, nothing_asked
from ravl.tasks.ask.task import OpenAskTask
from ravl.tasks.ask.vectors import kept_vectors
from ravl.tasks.caption.targets import CaptionTargets

FEW = 4  # words of an answer that is short
BRIEF = "Answer with a word or a short phrase."


@dataclass(frozen=True, slots=True)
class OpenAnswerTargets(CaptionTargets):
    """An answer to each question, in words of the generator's own.

    Args:
        width: F, of a picture's features; those of a question come after them.
        brief: answers are short, and the instruction of a generator says so.
    """

    width: int = 0
    brief: bool = False
    name: ClassVar[str] = OpenAskTask.command
    noun: ClassVar[str] = OpenAskTask.noun
    output_kind: ClassVar[TextKind] = ANSWERS
    unit: ClassVar[str] = "question"
    quotes: ClassVar[int] = 0  # neighbours' answers are read with their questions

    @property
    def entries(self) -> AnswerTargets:
        """The same questions, answered out of a list: what is found, and by what."""
        return AnswerTargets(generated=self.generated, width=self.width)

    @property
    def instruction(self) -> str:
        """The instruction of generators that read one, if the user gives none."""
        return BRIEF if self.brief else ""

    def of(self, row: Row | Example) -> tuple[str, ...]:
        """People's answers to an entry, the best first, doubles among them; of a picture to all."""
        return tuple(answer for qa in row.qa if counts(qa) for answer in people(qa))

    def examples(
        self, rows: Sequence[Row], features: Array, memory: Memory
    ) -> tuple[list[Row], Array, Ints]:
        """Entries, their features (m, F + D), and the position of each one's picture."""
        return self.entries.examples(rows, features, memory)

    def count(self, rows: Sequence[Row]) -> int:
        """How many answered questions some pictures have."""
        return sum(counts(qa) for row in rows for qa in row.qa)

    def question(self, row: Row) -> str:
        """The question of an entry."""
        return question_of(row)

    def datastore(self, memory: Memory, keys: AskKeys | None = None) -> Datastore:
        """All entries of the memory.

        Raises:
            DataError: it has no picture with a question and an answer.
        """
        datastore = self.entries.datastore(memory, keys)
        if keys is None:
            datastore = replace(datastore, keys=self.keys(datastore.features)(datastore.features))
        return datastore

    def keys(self, features: Array) -> AskKeys:
        """Keys with the usual weight."""
        return self.entries.keys(features)

    def keys_of(self, arrays: Mapping[str, Array]) -> AskKeys:
        """Keys out of a file of arrays."""
        return AskKeys.from_arrays(arrays)

    def standard(self, features: Array) -> Standardizer:
        """Picture and question each made fit for itself."""
        return self.entries.standard(features)

    def row_texts(self, datastore: Datastore, memory: Memory) -> RowTexts:
        """The answers of entries, with their vectors."""
        answers = [self.of(row) for row in datastore.rows]
        flat = [answer for its in answers for answer in its]
        owners = np.repeat(np.arange(len(datastore)), [len(its) for its in answers]).astype(
            np.int64
        )
        vectors = kept_vectors(base_of(memory.encoder), flat)
        return RowTexts(datastore, flat, vectors, owners)

    @property
    def composes(self) -> bool:
        """Answers stay whole."""
        return False

    @property
    def whole(self) -> bool:
        """Answers are compared as wholes."""
        return True

    def source(self, memory: Memory) -> Source:
        """All entries of the memory, as a live view."""
        return self.entries.source(memory)

    def read(
        self,
        memory: Memory,
        rows: Sequence[Row],  # noqa: ARG002 (their captions have vectors that are kept)
        texts: Sequence[Sequence[str]],
    ) -> Array:
        """Vectors (T, D) of answers."""
        return kept_vectors(base_of(memory.encoder), [text for its in texts for text in its])

    def comparing(self, row_texts: RowTexts | LiveTexts) -> Comparable:  # noqa: ARG002 (others count in them)
        """How answers are compared."""
        return Alike()

    def own_keys(self, pictures: KeyProjection) -> AskKeys:
        """Keys with the usual weight."""
        return AskKeys(pictures)

    def fitting(self, texts: Sequence[str]) -> OpenAnswerTargets:
        """The same for a memory that has these answers: are they short?"""
        return replace(self, brief=are_short(texts))

    def vote(self, rows: int, k: int = 0) -> Vote:  # noqa: ARG002 (captions need it)
        """The vote of answered questions; k 0 for as many as usual."""
        return replace(VOTE, k=k or VOTE.k)

    def silent(self, memory: Memory) -> DataError:
        """Why a memory has nothing to say."""
        return nothing_asked(memory)

    def to_json(self) -> JsonObject:
        """What ``run.json`` says of it."""
        return {
            "task": self.name,
            "answers": "open",
            "column": None,
            "generated": self.generated,
            "width": self.width,
            "brief": self.brief,
        }


def are_short(answers: Sequence[str]) -> bool:
    """Whether answers are names of things, mostly, and not sentences."""
    words = [len(answer.split()) for answer in answers]
    return bool(words) and float(np.median(words)) <= FEW
