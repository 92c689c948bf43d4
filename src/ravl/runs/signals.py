"""What a run's answers tell about the pictures: signals, none of which needs a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.json_types import JsonObject, JsonRecord
from ravl.runs.answers import Answer, Evidence

NEAREST = 5  # neighbours whose mean similarity tells how well the memory knows a picture
NUMBERS = ("similarity", "confidence", "disagreement")
DIGITS = 4  # all are rounded alike: else what was kept would differ from the same seen anew
ANSWERS = "answers"  # the signal that is no number: what was answered


@dataclass(frozen=True, eq=False)
class Signals:
    """The signals of n answered pictures.

    Args:
        numbers: by name, each (n,). ``similarity``: mean of the five nearest pictures in the
            evidence, a cosine, 0 where there are none; ``confidence``: of the answer;
            ``disagreement``: of the memory's vote and the model, 0 to 1, missing where a run only
            votes, or where the two do not speak of the same names.
        answers: of each the names that were answered; None where answers are out of no list, as
            captions are.
    """

    numbers: Mapping[str, Array]
    answers: Sequence[tuple[str, ...]] | None

    def __len__(self) -> int:
        return len(next(iter(self.numbers.values()), ()))

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Signals:
        """The signals of a run's answers that were given with retrieval."""
        names = [answer.names for answer in answers]
        listed = [its for its in names if its is not None]
        numbers = {
            "similarity": [_similarity(answer) for answer in answers],
            "confidence": [answer.confidence for answer in answers],
        }
        if listed and any(answer.model for answer in answers):
            numbers["disagreement"] = [answer.disagreement for answer in answers]
        return cls(
            {n: np.array(values).round(DIGITS).astype(np.float32) for n, values in numbers.items()},
            listed if len(listed) == len(names) else None,
        )

    def take(self, chosen: Sequence[int] | np.ndarray) -> Signals:
        """Those of some of the pictures."""
        where = np.asarray(chosen, np.int64)
        return Signals(
            {name: values[where] for name, values in self.numbers.items()},
            None if self.answers is None else [self.answers[i] for i in where],
        )

    def then(self, others: Signals) -> Signals:
        """These and others; what one of the two lacks is left out, unless it is empty."""
        if not len(self) or not len(others):
            return others if not len(self) else self
        both = [name for name in self.numbers if name in others.numbers]
        lists = self.answers, others.answers
        return Signals(
            {name: np.concatenate([self.numbers[name], others.numbers[name]]) for name in both},
            None if lists[0] is None or lists[1] is None else [*lists[0], *lists[1]],
        )

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            **{n: [round(float(v), DIGITS) for v in values] for n, values in self.numbers.items()},
            ANSWERS: None if self.answers is None else [list(names) for names in self.answers],
        }

    @classmethod
    def from_json(cls, record: JsonRecord) -> Signals:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: the record is damaged.
        """
        stored = record[ANSWERS]
        if "likeness" in record:  # of format 1
            record = {"similarity": record["likeness"], **record}
        answers = None if stored is None else [tuple(map(str, names)) for names in stored]
        numbers = {n: np.array(record[n], np.float32) for n in NUMBERS if n in record}
        found = cls(numbers, answers)
        lengths = {values.shape for values in numbers.values()}
        if len(lengths | {(len(found if answers is None else answers),)}) > 1:
            raise ValueError("signals of different length")
        return found


def nearest(answer: Answer, count: int) -> list[Evidence]:
    """The evidence most similar to the picture, best first, without rows of text alone."""
    seen = [each for each in answer.evidence if each.row.hash is not None]
    return sorted(seen, key=lambda each: -each.similarity)[:count]


def _similarity(answer: Answer) -> float:
    found = [each.similarity for each in nearest(answer, NEAREST)]
    return sum(found) / len(found) if found else 0.0
