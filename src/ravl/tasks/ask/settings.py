"""What a user can choose when ask is fitted: answers out of a list, or open answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl.tasks.ask.keys import VOTE
from ravl.training.fit_settings import FitSettings
from ravl.training.text_settings import TextSettings


@dataclass(frozen=True, kw_only=True)
class AskSettings(FitSettings):
    """How to fit ask with answers out of a list.

    Args:
        answers: list (one of those that occur in training or in the memory), or open (a generator
            writes the answer).

    Raises:
        DataError: a value is out of range.
    """

    answers: Literal["list"] = "list"


@dataclass(frozen=True, kw_only=True)
class OpenAskSettings(TextSettings):
    """How to fit ask with open answers.

    Args:
        answers: list (one of those that occur in training or in the memory), or open (a generator
            writes the answer).
        compare: what the rows without retrieval and without the picture are; generators trained
            without (trained), or the same generator, which is shown no neighbours and a blank
            picture (hidden); hidden takes a third of the time.
        model: vote (the answers of the neighbours, nothing trained), generator (it reads picture,
            question and neighbours), or auto: both, and the generator is kept where it is clearly
            better on validation.
        k: answered questions that vote.

    Raises:
        DataError: a value is out of range.
    """

    answers: Literal["open"] = "open"
    epochs: int = 8
    regions: int = 0
    k: int = VOTE.k
    target_risk: float = 0.05
    validation_share: float = 0.15
    test_share: float = 0.2
