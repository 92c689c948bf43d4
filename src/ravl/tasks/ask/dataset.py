"""The ground of a fit of ask: keys that find answers best, and what is read with pictures.

Everything else is that of labels, see :mod:`ravl.tasks.labels.dataset`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ravl.errors import DataError
from ravl.models.vote import Vote
from ravl.tasks.ask.entries import question_of
from ravl.tasks.ask.keys import WEIGHTS
from ravl.tasks.ask.knowledge import Knowledge
from ravl.tasks.ask.targets import AnswerTargets
from ravl.tasks.ask.untrained import VOTE
from ravl.tasks.labels.dataset import FitData, Split, speaking_rows
from ravl.tasks.labels.keys.ground import searched_by
from ravl.tasks.labels.levels import held_side, surprise, vote_gate
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.fit_settings import FitSettings

REFUSED = {"vision": "head", "train_retriever": False, "rerank": "", "column": ""}


def refuse(settings: FitSettings) -> None:
    """Refuse settings that only labels of pictures have.

    Raises:
        DataError: names the first.
    """
    for name, usual in REFUSED.items():
        if getattr(settings, name) != usual:
            raise DataError(
                f"{name} is {getattr(settings, name)!r}, but ask has no such setting: it answers "
                "from the columns question and answer, with the frozen vision tower. Leave it out."
            )


def asked(ground: FitData) -> FitData:
    """The ground with the weight of questions chosen, and the texts that the reader reads."""
    ground = weighed(ground)
    keys: Any = ground.keys
    hidden = [part.labelled.seen_groups() for part in (ground.validation, ground.test)]
    knowledge = Knowledge.of(ground.memory, keys.pictures, np.concatenate(hidden))

    def side(part: Split) -> Split:
        questions = [question_of(row) for row in part.labelled.rows]
        texts = questions
        if knowledge is not None:
            pictures = part.queries.features[:, : keys.width]
            texts = knowledge.reading(questions, pictures, part.labelled.shown)
        return replace(part, queries=replace(part.queries, texts=texts))

    return replace(
        ground,
        train=side(ground.train),
        validation=side(ground.validation),
        test=side(ground.test),
    )


def weighed(ground: FitData) -> FitData:
    """The ground as it is searched with the weight of questions under which answers are likeliest.

    Training and validation questions are answered by the usual vote, each without its picture.
    """
    keys: Any = ground.keys
    speaking = speaking_rows(ground.bank, ground.task)
    best, least = ground, np.inf
    for weight in WEIGHTS:
        tried = searched_by(ground, replace(keys, weight=weight), speaking)
        value = vote_surprise(tried, VOTE)
        if value < least - 1e-4:
            best, least = tried, value
    return best


def vote_surprise(ground: FitData, vote: Vote) -> float:
    """Mean negative log-likelihood of answers to held questions under a vote."""
    assert isinstance(ground.task, AnswerTargets)
    testimony = LabelMatrix.of(ground.bank, ground.task, ground.labels)
    side = held_side(ground)
    votes = vote(side.near, testimony.said[:, : testimony.known], testimony.worth)
    smooth = vote_gate(votes, side.targets, True).smoothed_votes(votes)
    return surprise(smooth, side.targets, ground.task)
