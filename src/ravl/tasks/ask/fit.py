"""The recipe by which ask is fitted, with answers out of a list: labels of questions.

Its report has two rows more than that of labels: without the memory, and without the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.models.gate import probabilities
from ravl.models.held_out import temperature_of
from ravl.models.zero_shot import label_vectors, zero_shot
from ravl.tasks.ask.dataset import asked, refuse
from ravl.tasks.ask.targets import AnswerTargets, ask_task
from ravl.tasks.ask.task import AskTask
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.fit import LabelRecipe
from ravl.tasks.labels.head import fit_head


class AskRecipe(LabelRecipe):
    """How ask is fitted.

    Args:
        memory: the evidence.
        settings: :class:`ravl.tasks.ask.settings.AskSettings`.
    """

    def __init__(self, memory: Memory, settings: Any) -> None:
        super().__init__(AskTask.name, memory, settings)

    @property
    def targets(self) -> AnswerTargets:
        """What rows say for the task."""
        return ask_task(self.memory)

    def check(self) -> None:
        """Refuse settings that only labels of pictures have."""
        refuse(self.settings)

    def changed(self, data: FitData) -> FitData:
        """The data with the weight of questions chosen, and the texts that the reader reads."""
        return asked(data)

    def baselines(self, data: FitData) -> Mapping[str, Array]:
        """Rows without the memory: ``zero_shot``, and ``question_only`` where it is fitted."""
        rows = {"zero_shot": zero_shot_answers(data)}
        if self.settings.model != "vote":
            rows["question_only"] = question_only(data)
        return rows


def zero_shot_answers(data: FitData) -> Array:
    """Probabilities (n, C) by the pretrained encoder, which knows the names of the answers alone.

    An answer is as likely as its name is like the picture and like the question, by the sum of the
    two cosines.
    """
    task, encoder = data.task, data.task.encoder(data.memory)
    assert isinstance(task, AnswerTargets)
    features = data.test.queries.features
    names = label_vectors(encoder, data.labels, data.settings.prompt_templates)
    both = encoder.project(features[:, : task.width]) + task.vectors_of(features)
    return zero_shot(both, names, exclusive=True)


def question_only(data: FitData) -> Array:
    """Probabilities (n, C) by the linear head, fitted in the same way, but shown no picture."""
    task = data.task
    assert isinstance(task, AnswerTargets)

    def blind(side: Split) -> Split:
        features = side.queries.features[:, task.width :]
        examples = replace(side.examples, features=features)
        queries = replace(side.queries, features=features, texts=None)
        return replace(side, queries=queries, examples=examples)

    unseen = replace(
        data, task=task.blind(), train=blind(data.train), validation=blind(data.validation)
    )
    head, logits = fit_head(unseen)
    targets = np.vstack([unseen.train.targets, unseen.validation.targets])
    warmth = temperature_of(logits, targets, exclusive=True)
    found = head(blind(data.test).queries.features) / warmth
    return probabilities(found, exclusive=True)
