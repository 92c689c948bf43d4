"""What a run's answers tell about the pictures: four signals, none of which needs a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.tasks.results import Answer, Classification, Tagging

NEAREST = 5  # neighbours whose mean likeness tells how well the memory knows a picture
NUMBERS = ("likeness", "confidence", "disagreement")
DIGITS = 4  # all are rounded alike: else what was kept would differ from the same seen anew
ANSWERS = "answers"  # the signal that is no number: what was answered


@dataclass(frozen=True, eq=False)
class Signals:
    """The signals of n answered pictures.

    Args:
        numbers: by name, each (n,). ``likeness``: mean of the five nearest rows that voted, a
            cosine; ``confidence``: of the answer; ``disagreement``: of the memory's vote and the
            model, 0 to 1, missing where a run only votes.
        answers: the label, or the tags, of each.
    """

    numbers: Mapping[str, Array]
    answers: Sequence[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.answers)

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Signals:
        """The signals of answers of classify or tag that were given with retrieval."""
        numbers = {
            "likeness": [_likeness(answer) for answer in answers],
            "confidence": [answer.confidence for answer in answers],
        }
        if any(answer.model for answer in answers):
            numbers["disagreement"] = [answer.disagreement for answer in answers]
        return cls(
            {n: np.array(values).round(DIGITS).astype(np.float32) for n, values in numbers.items()},
            [_said(answer) for answer in answers],
        )

    def take(self, chosen: Sequence[int] | np.ndarray) -> Signals:
        """Those of some of the pictures."""
        where = np.asarray(chosen, np.int64)
        return Signals(
            {name: values[where] for name, values in self.numbers.items()},
            [self.answers[i] for i in where],
        )

    def then(self, others: Signals) -> Signals:
        """These and others; a number that one of the two lacks is left out, unless it is empty."""
        if not len(self) or not len(others):
            return others if not len(self) else self
        both = [name for name in self.numbers if name in others.numbers]
        return Signals(
            {name: np.concatenate([self.numbers[name], others.numbers[name]]) for name in both},
            [*self.answers, *others.answers],
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            **{n: [round(float(v), DIGITS) for v in values] for n, values in self.numbers.items()},
            ANSWERS: [list(said) for said in self.answers],
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Signals:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: the record is damaged.
        """
        answers = [tuple(map(str, said)) for said in record[ANSWERS]]
        numbers = {n: np.array(record[n], np.float32) for n in NUMBERS if n in record}
        if any(values.shape != (len(answers),) for values in numbers.values()):
            raise ValueError("signals of different length")
        return cls(numbers, answers)


def _likeness(answer: Answer) -> float:
    found = sorted((each.likeness for each in answer.evidence), reverse=True)[:NEAREST]
    return sum(found) / len(found) if found else 0.0


def _said(answer: Answer) -> tuple[str, ...]:
    if isinstance(answer, Classification):
        return (answer.label,)
    return answer.tags if isinstance(answer, Tagging) else ()
