"""What a user can choose when ask is fitted: answers out of a list, or open ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ravl.errors import DataError
from ravl.tasks.ask.untrained import VOTE
from ravl.training.fit_settings import FitSettings
from ravl.training.text_settings import Compared, TextSettings

Answers = Literal["list", "open"]
Model = Literal["auto", "vote", "linear", "fusion", "generator"]
MODELS = {"list": ("auto", "vote", "linear", "fusion"), "open": ("auto", "vote", "generator")}
# Of open answers alone, as captions have them, and of a list alone.
OPEN = ("generator", "regions", "quotes", "layers", "words", "longest", "beams", "reward_epochs",
        "compare")  # fmt: skip
LIST = ("spread", "class_weights", "fewest", "vision", "train_retriever", "rerank", "column")
# Where the two are best fitted otherwise; open answers are fitted as captions are.
OTHERWISE = ("language", "smoothing", "precision")


@dataclass(frozen=True, kw_only=True)
class AskSettings(FitSettings):
    """How to fit ask.

    Args:
        answers: list (one of those that occur in training or in the memory), or open (a generator
            writes the answer). What follows down to compare is for open ones alone; these are
            fitted with language full, smoothing 0.1 and precision auto where nothing else is given.
        generator: that writes; builtin (MiniLM reads and writes), hf:NAME (a decoder-only or chat
            model of the hub or in a folder), or openai:URL (a server, which is not trained).
        regions: s, of the s x s parts of a picture that the builtin generator looks at one by one;
            0 for the features that the memory keeps alone. Pictures are decoded for it.
        quotes: of the best supported answers, how many it reads word for word.
        layers: of the builtin decoder, taken evenly from the language model's.
        words: tokens of its vocabulary at most, learned on the answers.
        longest: tokens of an answer; 0 for what nearly all training answers need.
        beams: of the search when it writes.
        reward_epochs: passes in which the builtin generator learns from how good whole answers of
            its own are (self-critical training), after it has learned to repeat people's.
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
    generator: str = "builtin"
    regions: int = 0
    quotes: int = 0
    layers: int = 3
    words: int = 6000
    longest: int = 0
    beams: int = 5
    reward_epochs: int = 0
    compare: Compared = "trained"
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
