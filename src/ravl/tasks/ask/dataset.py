"""The data of a fit of ask: keys that find answers best, and what is read with pictures.

Everything else is that of labels, see :mod:`ravl.tasks.labels.dataset`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ravl.errors import DataError
from ravl.tasks.ask.entries import question_of
from ravl.tasks.ask.keys import VOTE, WEIGHTS, AskKeys
from ravl.tasks.ask.knowledge import Knowledge
from ravl.tasks.labels.dataset import FitData, Split, rows_with_target, searched_by
from ravl.tasks.labels.levels import vote_log_loss
from ravl.training.fit_settings import FitSettings

REFUSED = {"tune_vision": "head", "train_retriever": False, "rerank": "", "column": ""}


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


def asked(data: FitData) -> FitData:
    """The data with the weight of questions chosen, and the texts that the reader reads."""
    data = weighed(data)
    keys: Any = data.keys
    hidden = [part.examples.seen_groups() for part in (data.validation, data.test)]
    knowledge = Knowledge.of(data.memory, keys.pictures, np.concatenate(hidden))

    def side(part: Split) -> Split:
        questions = [question_of(row) for row in part.examples.rows]
        texts = questions
        if knowledge is not None:
            pictures = part.queries.features[:, : keys.width]
            texts = knowledge.reading(questions, pictures, part.examples.shown)
        return replace(part, queries=replace(part.queries, texts=texts))

    return replace(
        data,
        train=side(data.train),
        validation=side(data.validation),
        test=side(data.test),
    )


def weighed(data: FitData) -> FitData:
    """The data as it is searched with the weight of questions under which answers are likeliest.

    Training and validation questions are answered by the usual vote, each without its picture.
    """
    keys: Any = data.keys
    speaking = rows_with_target(data.datastore, data.task)
    best, least = keys.weight, np.inf
    for weight in WEIGHTS:
        plain: Any = _SimilarityAlone(keys.pictures, weight, keys.words)
        value = vote_log_loss(searched_by(data, plain, speaking), VOTE)
        if value < least - 1e-4:
            best, least = weight, value
    return searched_by(data, replace(keys, weight=best), speaking)


class _SimilarityAlone(AskKeys):
    """Keys whose neighbours have no weights: these take longer than the search."""

    def weights(self, *_: object) -> None:
        """None."""
