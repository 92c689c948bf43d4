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
from ravl.tasks.labels.levels import fit_head, temperature_of, train_plus_validation
from ravl.tasks.labels.predictor import Answers, Queries


def ask_rows(data: FitData) -> Mapping[str, Answers]:
    """Answers to the test part by row: ``zero_shot``, and ``question_only`` where it is fitted."""
    rows = {"zero_shot": zero_shot_answers(data)}
    if data.settings.model != "vote":
        rows["question_only"] = question_only(data)
    return rows


def zero_shot_answers(data: FitData) -> Answers:
    """The pretrained encoder, which knows the known answers and nothing else.

    An answer is as likely as its name is like the picture and like the question, by the sum of the
    two cosines.
    """
    task, encoder = data.task, data.task.encoder(data.memory)
    assert isinstance(task, AnswerTargets)
    features = data.test.queries.features
    names = label_vectors(encoder, data.labels, data.settings.prompt_templates)
    both = encoder.project(features[:, : task.width]) + features[:, task.width :]
    return _alone(data, zero_shot(both, names, exclusive=True))


def question_only(data: FitData) -> Answers:
    """The linear head, fitted and asked in the same way, but shown no picture."""
    task = data.task
    assert isinstance(task, AnswerTargets)

    def blind(side: Split) -> Split:
        features = side.queries.features[:, task.width :]
        examples = replace(side.examples, features=features)
        return replace(side, queries=Queries(features), examples=examples)

    unseen = replace(
        data, task=task.blind(), train=blind(data.train), validation=blind(data.validation)
    )
    head, logits = fit_head(unseen)
    warmth = temperature_of(logits, train_plus_validation(unseen).targets, exclusive=True)
    found = head(blind(data.test).queries.features) / warmth
    return _alone(data, probabilities(found, exclusive=True))


def _alone(data: FitData, found: Array) -> Answers:
    nothing = np.zeros_like(found)
    return Answers(data.labels, found, nothing, found, np.zeros(len(found), np.float32))
