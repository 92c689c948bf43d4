"""What a match model answers about one pair of a picture and a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ravl.json_types import JsonObject
from ravl.runs.answers import Answer

YES, NO = "fits", "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Answer):
    """Whether a text fits a picture; its ``confidence`` is that of this answer.

    Args:
        text: that was asked about.
        fits: whether the score reaches the run's threshold.
        score: probability that it fits.
        signals: the scores behind it by name: of the model, and of the memory.
        read: False where the encoder does not read the text's language, so that the answer is
            worth little; asked to abstain, the model then does.
    """

    text: str
    fits: bool
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)
    read: bool = True

    @property
    def said(self) -> str:
        """The answer in words."""
        return YES if self.fits else NO

    @property
    def asked(self) -> str:
        """The text."""
        return self.text

    @property
    def names(self) -> tuple[str, ...]:
        """One of two."""
        return (self.said,)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "text": self.text,
            "fits": self.fits,
            "score": round(self.score, 4),
            "read": self.read,
            **Answer.to_json(self),
            "signals": {name: round(value, 4) for name, value in self.signals.items()},
        }

    def __str__(self) -> str:
        unread = "" if self.read else "  (the encoder does not read this language)"
        return f"{Answer.__str__(self)}  {self.text!r}{unread}"
