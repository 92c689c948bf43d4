"""Entries: a question-answer pair of a picture as a row of its own.

So all that is true of labelled pictures, the vote, the gate, the reader, leaving oneself out,
holds for answered questions as well. An entry keeps its picture's number and id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ravl.data import QA
from ravl.memory import Row
from ravl.retrieval.datastore import Ints
from ravl.tasks.ask.answers import answers_of, shares

LONGEST = 2000  # characters of a question that are read; encoders cut far earlier


def entries_of(rows: Sequence[Row]) -> tuple[list[Row], Ints]:
    """All questions about some pictures that have an answer, and the position of each one's row.

    Args:
        rows: n pictures.
    """
    found = [(entry(row, qa), i) for i, row in enumerate(rows) for qa in row.qa if counts(qa)]
    return [e for e, _ in found], np.array([i for _, i in found], np.int64)


def entry(row: Row, qa: QA) -> Row:
    """One question about a picture: its label is the answer, its text the question."""
    names = answers_of(qa)
    return replace(row, label=names[0] if names else None, texts=(qa.question,), qa=(qa,))


def counts(qa: QA) -> bool:
    """Whether a pair says something."""
    return bool(qa.question.strip()) and bool(answers_of(qa))


def in_words(row: Row) -> str:
    """All questions about a picture, with their answers."""
    return " / ".join(f"{qa.question} {', '.join(qa.answers)}" for qa in row.qa)


def says(row: Row) -> tuple[str, ...]:
    """What an entry says as evidence: its question, and then its answers by name."""
    return (row.texts[0], *shares(row.qa[0]))


def question_of(row: Row) -> str:
    """The question of an entry."""
    return row.texts[0][:LONGEST]
