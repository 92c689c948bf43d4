"""What rows say for ask: answers to questions about their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.evaluation import Score
from ravl.evaluation.scores import Groups
from ravl.json_types import JsonRecord
from ravl.memory import Memory, Row
from ravl.models.evidence import Made
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Datastore, Ints, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Source, View
from ravl.runs.generated import Filled, with_generated
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.answers import answers_of, shares
from ravl.tasks.ask.entries import counts, entries_of, question_of
from ravl.tasks.ask.keys import AskKeys
from ravl.tasks.ask.live_entries import Entries, question_lookups
from ravl.tasks.ask.task import AskTask
from ravl.tasks.ask.vectors import question_features
from ravl.tasks.ask.words import COLUMNS, MOST_COLUMNS
from ravl.tasks.labels.targets import LabelTargets

QUESTION = 2.0  # how much a question's vector counts beside the picture's, for a linear map
WORDS = 2.0  # the same of its words


@dataclass(frozen=True, slots=True)
class AnswerTargets(LabelTargets):
    """One answer to a question; examples are entries, see :mod:`ravl.tasks.ask.entries`.

    Features of an entry are those of its picture, its question's vector by the base encoder, and
    the question's words. A question in a language that the encoder does not read has a vector of
    zeros.

    Args:
        width: F, of a picture's features; 0 for questions alone.
        words: columns of the words, see :mod:`ravl.tasks.ask.words`; 0 for a run that has none.
    """

    name: str = AskTask.name
    width: int = 0
    words: int = 0

    @property
    def asks(self) -> bool:
        """True: a question comes with the picture."""
        return True

    @property
    def novel_balance(self) -> float:
        """0: hundreds of answers occur once, and most of them are not what is asked for.

        On DAQUAR, with half of the pictures in the fit, the vote is right in 20.3 % of the
        questions where such answers count for more, and in 22.7 % where they do not.
        """
        return 0.0

    @property
    def unit(self) -> str:
        """What one example is called."""
        return "question"

    def of(self, row: Row) -> tuple[str, ...]:
        """The answers of an entry, the best first; of a picture those to all its questions."""
        return tuple(dict.fromkeys(name for qa in row.qa if counts(qa) for name in answers_of(qa)))

    def truth(self, rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.int64]:
        """Positions of the entries' best answers, (n,), -1 for none of the names."""
        places = {name: i for i, name in enumerate(names)}
        return np.array([places.get(row.label or "", -1) for row in rows], np.int64)

    def shares(self, row: Row) -> dict[str, float]:
        """The share of people who gave each answer to an entry."""
        return shares(row.qa[0])

    def stratum(self, row: Row) -> str:  # noqa: ARG002 (others have classes)
        """Parts are drawn by picture, whatever was asked about it."""
        return ""

    def question(self, row: Row) -> str | None:
        """The question of an entry."""
        return question_of(row)

    def encoder(self, memory: Memory) -> Encoder:
        """The base encoder, so that a run stays true when the retriever is trained again."""
        return base_of(memory.encoder)

    def examples(
        self, rows: Sequence[Row], features: Array, memory: Memory
    ) -> tuple[list[Row], Array, Ints]:
        """Entries, their features (m, F + D + words), and the position of each one's picture."""
        entries, owners = entries_of(rows)
        questions = question_features(memory, [question_of(e) for e in entries], self.words)
        return entries, np.hstack([features[owners], questions]), owners

    def datastore(self, memory: Memory, keys: AskKeys | None = None) -> Datastore:  # type: ignore[override]
        """All entries of the memory.

        Raises:
            DataError: it has no picture with a question and an answer.
        """
        pictures = read_datastore(memory, keys.pictures if keys is not None else None)
        pictures = with_generated(pictures) if self.generated else pictures
        entries, features, owners = self.examples(pictures.rows, pictures.features, memory)
        if not entries:
            raise nothing_asked(memory)
        keys = keys or self.keys(pictures.features)
        seen = keys.joined(pictures.keys[owners], features[:, self.width :])
        return Datastore(entries, features, pictures.groups[owners], seen)

    def source(self, memory: Memory) -> Source:
        """All entries of the memory, as a live view."""
        filled = memory.live.shared("filled", Filled) if self.generated else None
        key = ("entries", self.generated, self.words)
        made = memory.live.shared(key, lambda: Entries(memory, filled, self.words))
        return Source(memory.live, made)

    def texts(
        self,
        view: View,
        memory: Memory,  # noqa: ARG002 (others read it)
    ) -> tuple[Made, Made]:
        """The questions' vectors."""
        return question_lookups(view, self.words)

    def keys(self, features: Array) -> AskKeys:  # type: ignore[override]
        """Keys with the usual weight."""
        return AskKeys(KeyProjection.of(features[:, : self.width]), words=self.words)

    def keys_of(self, arrays: Mapping[str, Array]) -> AskKeys:  # type: ignore[override]
        """Keys out of a file of arrays; ValueError where their words are others than the task's."""
        keys = AskKeys.from_arrays(arrays)
        if keys.words != self.words:
            raise ValueError(f"the keys have {keys.words:,} columns of words, not {self.words:,}")
        return keys

    def standard(self, features: Array) -> Standardizer:
        """Picture, vector and words of the question each made fit for itself."""
        found = Standardizer.of(self.vectors_of(features))
        if self.width:
            found = Standardizer.of(features[:, : self.width]).then(found, QUESTION)
        if not self.words:
            return found
        words = features[:, -self.words :]
        weight = WORDS if self.width else WORDS / QUESTION
        return found.then(Standardizer(1.0, words.mean(0), np.ones(self.words, np.float32)), weight)

    def vectors_of(self, features: Array) -> Array:
        """The question's vectors (n, D) in features (n, F + D + words)."""
        return features[:, self.width : features.shape[1] - self.words]

    def text_vectors(self, datastore: Datastore) -> tuple[Array, NDArray[np.bool_]]:
        """The questions' vectors."""
        vectors = np.ascontiguousarray(self.vectors_of(datastore.features))
        return vectors, np.abs(vectors).max(axis=1, initial=0) > 0

    def blind(self) -> AnswerTargets:
        """The same for questions without their pictures."""
        return replace(self, width=0)

    def to_json(self) -> dict[str, object]:
        """What ``run.json`` says of it."""
        return {
            "task": self.name,
            "column": None,
            "generated": self.generated,
            "width": self.width,
            "words": self.words,
        }

    @classmethod
    def from_json(cls, record: JsonRecord) -> Self:
        """The inverse of :meth:`to_json`, from a whole ``run.json``; ValueError for odd words."""
        generated, words = bool(record.get("generated")), int(record.get("words", 0))
        if not 0 <= words <= MOST_COLUMNS:
            raise ValueError(f"{words:,} columns of words; 0 to {MOST_COLUMNS:,} are allowed")
        return cls(record["task"], None, generated, int(record["width"]), words)

    def text_scores(
        self,
        rows: Sequence[Row],
        names: Sequence[str],
        found: Array,
        before: Array | None = None,
        *,
        groups: Groups | None = None,
        seed: int = 0,
    ) -> dict[str, Score]:
        """Metrics of answers as texts, which several people may word in several ways."""
        from ravl.evaluation.generation import ANSWERS, compare_texts, measure_text

        people = [answers_of(row.qa[0]) for row in rows]
        written = [names[i] for i in found.argmax(1)]
        if before is None:
            return measure_text(ANSWERS, written, people, groups=groups, seed=seed)
        return compare_texts(
            ANSWERS, written, [names[i] for i in before.argmax(1)], people, groups=groups, seed=seed
        )


def ask_task(memory: Memory) -> AnswerTargets:
    """The task for a memory's pictures."""
    return AnswerTargets(width=memory.encoder.feature_dimension, words=COLUMNS)


def nothing_asked(memory: Memory) -> DataError:
    """Why a memory has no answers."""
    return DataError(
        f"No picture in {memory.path} has a question with an answer, so nothing can be asked. "
        "Bring some in with a table that has columns image, question and answer: "
        f"ravl index TABLE --memory {memory.path}"
    )
