"""The rows that the report of ask has beside those of labels: no memory, and no picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.models.gate import probabilities
from ravl.models.zero_shot import label_vectors, zero_shot
from ravl.tasks.ask.targets import AnswerTargets
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.levels import fit_head, held_side, temperature_of
from ravl.tasks.labels.predictor import Answers, Queries


def ask_rows(ground: FitData) -> Mapping[str, Answers]:
    """Answers to the test part by row: ``zero_shot``, and ``question_only`` where it is fitted."""
    rows = {"zero_shot": zero_shot_answers(ground)}
    if ground.settings.model != "vote":
        rows["question_only"] = question_only(ground)
    return rows


def zero_shot_answers(ground: FitData) -> Answers:
    """The pretrained encoder, told the known answers and nothing else.

    An answer is as likely as its name is like the picture and like the question, by the sum of the
    two cosines.
    """
    task, encoder = ground.task, ground.task.encoder(ground.memory)
    assert isinstance(task, AnswerTargets)
    features = ground.test.queries.features
    names = label_vectors(encoder, ground.labels, ground.settings.templates)
    both = encoder.project(features[:, : task.width]) + features[:, task.width :]
    return _alone(ground, zero_shot(both, names, exclusive=True))


def question_only(ground: FitData) -> Answers:
    """The linear head, fitted and asked in the same way, but shown no picture."""
    task = ground.task
    assert isinstance(task, AnswerTargets)

    def blind(side: Split) -> Split:
        features = side.queries.features[:, task.width :]
        labelled = replace(side.labelled, features=features)
        return replace(side, queries=Queries(features), labelled=labelled)

    unseen = replace(
        ground, task=task.blind(), train=blind(ground.train), validation=blind(ground.validation)
    )
    head, logits = fit_head(unseen)
    warmth = temperature_of(logits, held_side(unseen).targets, exclusive=True)
    found = head(blind(ground.test).queries.features) / warmth
    return _alone(ground, probabilities(found, exclusive=True))


def _alone(ground: FitData, found: Array) -> Answers:
    nothing = np.zeros_like(found)
    return Answers(ground.labels, found, nothing, found, np.zeros(len(found), np.float32))
