"""The recipe by which ask is fitted, with answers out of a list: labels of questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ravl.memory import Memory
from ravl.tasks.ask.baselines import ask_rows
from ravl.tasks.ask.dataset import asked, refuse
from ravl.tasks.ask.targets import AnswerTargets, ask_task
from ravl.tasks.ask.task import AskTask
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.fit import LabelRecipe
from ravl.tasks.labels.predictor import Answers


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

    def baselines(self, data: FitData) -> Mapping[str, Answers] | None:
        """What the question alone tells."""
        return ask_rows(data)
