"""Knowledge: what a memory's texts say about a question, and about what the picture shows.

"Where does it live?" is answered by no picture. So passages are looked for by the question together
with what the picture is, as far as its nearest neighbours are called something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.memory import Memory, Row
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.ask.answers import answers_of
from ravl.tasks.ask.passages import Passages
from ravl.timing import step

LOOKED = Vote(k=8, temperature=0.04, cap=1.0)  # neighbours that say what the picture is
NAMED = 2  # different things that they say, at most, with which is asked
CLOSE = 0.5  # share that the second must have of the first one's
CITED = 3  # passages of an answer at most
LEAST = 0.25  # score of a passage that has to do with the question
LONGEST = 80  # characters of a caption that are asked with


@dataclass(frozen=True, eq=False)
class Cited:
    """Passages found for n questions.

    Args:
        queries: what they were looked for by.
        positions: of passages, best first, -1 where none has to do with the question, (n, CITED).
        scores: (n, CITED).
    """

    queries: list[str]
    positions: Ints
    scores: Array

    def of(self, i: int) -> list[tuple[int, float]]:
        """Those of question ``i`` with their scores."""
        found = zip(self.positions[i].tolist(), self.scores[i].tolist(), strict=True)
        return [(p, s) for p, s in found if p >= 0]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A memory's passages, and the pictures that tell what a question is about.

    Args:
        passages: of the memory.
        pictures: rows with a picture; None where there are none.
        keys: by which they are found.
        hints: what each of them is called, N; empty for nothing.
        named: whether each is called anything, (N,).
    """

    passages: Passages
    pictures: Datastore | None
    keys: KeyProjection | None
    hints: Sequence[str]
    named: NDArray[np.bool_]

    @classmethod
    def of(
        cls, memory: Memory, keys: KeyProjection | None = None, hidden: Ints | None = None
    ) -> Knowledge | None:
        """That of a memory, None where it has no passages.

        Args:
            memory: to read.
            keys: of pictures; None makes them.
            hidden: groups of pictures that must not be looked at: what is held out.
        """
        passages = Passages.of(memory)
        if passages is None:
            return None
        if not any(row.hash for row in memory.rows()):
            return cls(passages, None, None, [], np.zeros(0, bool))
        datastore = read_datastore(memory, keys)
        made = keys or KeyProjection.of(datastore.features)
        if hidden is not None:
            datastore = datastore.only(~np.isin(datastore.groups, hidden))
        hints = [hint_of(row) for row in datastore.rows]
        return cls(passages, datastore, made, hints, np.array([bool(hint) for hint in hints]))

    @step("retrieve")
    def find(
        self, questions: Sequence[str], pictures: Array, hidden: Sequence[Ints] | None = None
    ) -> Cited:
        """Passages for questions about pictures.

        Args:
            questions: n.
            pictures: features of their pictures, (n, F).
            hidden: for each the groups of rows that show the same picture.
        """
        hints = self._hints(pictures, hidden)
        queries = [f"{q} {hint}".strip() for q, hint in zip(questions, hints, strict=True)]
        best, scores = self.passages.find(queries, CITED)
        return Cited(queries, np.where(scores >= LEAST, best, -1), scores)

    def texts_of(self, cited: Cited) -> list[list[tuple[str, float]]]:
        """The passages found for each question, with their scores, best first."""
        return [
            [(self.passages.texts[p], score) for p, score in cited.of(i)]
            for i in range(len(cited.queries))
        ]

    def reading(
        self, questions: Sequence[str], pictures: Array, hidden: Sequence[Ints] | None = None
    ) -> list[str]:
        """The questions, each with the passage that is best for it."""
        cited = self.find(questions, pictures, hidden)
        best = cited.positions[:, 0].tolist()
        return [
            q if p < 0 else f"{q} {self.passages.texts[p]}"
            for q, p in zip(questions, best, strict=True)
        ]

    def _hints(self, pictures: Array, hidden: Sequence[Ints] | None) -> list[str]:
        """What the nearest neighbours of pictures (n, F) are called."""
        if self.pictures is None or self.keys is None:
            return [""] * len(pictures)
        neighbours = self.pictures.neighbours(self.keys(pictures), LOOKED.k, hidden, self.named)
        shares = LOOKED.shares(neighbours)
        found = []
        for line, weights in zip(neighbours.positions.tolist(), shares.tolist(), strict=True):
            mass: dict[str, float] = {}
            for row, share in zip(line, weights, strict=True):
                if row >= 0:
                    mass[self.hints[row]] = mass.get(self.hints[row], 0.0) + share
            most = max(mass.values(), default=0.0)
            names = sorted(mass, key=lambda name: -mass[name])[:NAMED]
            found.append(" ".join(name for name in names if mass[name] >= CLOSE * most))
        return found


def hint_of(row: Row) -> str:
    """What a picture's row says it is: label, tags, caption, or what was answered about it."""
    answers = [name for qa in row.qa for name in answers_of(qa)[:1]]
    caption = row.texts[0][:LONGEST] if row.texts else ""
    return row.label or ", ".join(row.tags[:3]) or caption or ", ".join(answers[:3])
