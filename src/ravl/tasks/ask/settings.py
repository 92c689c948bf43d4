"""What a user can choose when ask is fitted: answers out of a list, or open ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ravl.errors import DataError
from ravl.tasks.ask.untrained import VOTE
from ravl.tasks.caption.settings import TextSettings
from ravl.training.fit_settings import FitSettings
from ravl.training.generator_settings import GeneratorSettings

Answers = Literal["list", "open"]
Model = Literal["auto", "vote", "linear", "fusion", "generator"]
MODELS = {"list": ("auto", "vote", "linear", "fusion"), "open": ("auto", "vote", "generator")}
# Of open answers alone, and of a list alone.
OPEN = tuple(GeneratorSettings.__annotations__)
LIST = ("spread", "class_weights", "fewest", "vision", "train_retriever", "rerank", "column")
# Where the two are best fitted otherwise; open answers are fitted as captions are.
OTHERWISE = ("language", "smoothing", "precision")


@dataclass(frozen=True, kw_only=True)
class AskSettings(FitSettings, GeneratorSettings):
    """How to fit ask.

    Args:
        answers: list (one of those that occur in training or in the memory), or open (a generator
            writes the answer). What a generator is made of, from generator to compare, is for open
            ones alone; these are fitted with language full, smoothing 0.1 and precision auto where
            nothing else is given.
        compare: what the rows without retrieval and without the picture are; generators trained
            without (trained), or the same one, shown no neighbours and a blank picture (hidden),
            which takes a third of the time.
        model: of a list vote, linear, fusion or auto, as for classify; of open answers vote (those
            of the neighbours, nothing trained), generator (which reads picture, question and
            neighbours), or auto: both, and the generator is kept where it is clearly better on
            validation.

    Raises:
        DataError: a value that is out of range, or of the other kind of answers.
    """

    answers: Answers = "list"
    model: Model = "auto"  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model not in MODELS[self.answers]:
            raise DataError(
                f"model is {self.model!r}; for answers {self.answers!r} it must be one of "
                f"{', '.join(MODELS[self.answers])}."
            )
        usual = {f.name: f.default for f in fields(self)}
        for name in OPEN if self.answers == "list" else LIST:
            if getattr(self, name) != usual[name]:
                raise DataError(
                    f"{name} is {getattr(self, name)!r}, but answers are {self.answers!r}, which "
                    "have no such setting. Leave it out"
                    + (", or fit with answers 'open'." if self.answers == "list" else ".")
                )
        if self.answers == "open":
            self.texts()

    def texts(self) -> TextSettings:
        """The same for what fits tasks that write."""
        shared = {f.name for f in fields(TextSettings)} & {f.name for f in fields(self)}
        given: dict[str, Any] = {name: getattr(self, name) for name in shared}
        return TextSettings(**{**given, "k": self.k or VOTE.k})


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of ask as they were given, and the defaults in which open answers differ."""
    if given.get("answers") != "open":
        return dict(given)
    usual = {f.name: f.default for f in fields(TextSettings)}
    return {**{name: usual[name] for name in OTHERWISE}, **given}
