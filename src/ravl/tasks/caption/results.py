"""What a caption model answers about one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ravl.json_types import JsonObject
from ravl.runs.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption(Answer):
    """A text about a picture; ``scores`` orders the candidates, higher is better.

    Its ``gate`` is how much the memory's word counted when it was chosen: 1 where only the memory
    spoke. ``memory`` has the best supported texts of the neighbours with their support, ``model``
    the texts that were written, with the probability of a word (the geometric mean).

    Args:
        text: the chosen one, also if the model abstained; empty if there was no candidate.
        written: True if it is new: written by a generator, or composed of several rows' texts.
            False if it is a row's own text.
        parts: the longest phrases of the text that captions of neighbours say, in its order, with
            the id of the row whose caption says it; empty for a text that stays whole.
        others: other candidates as they were asked for, the best first.
        signals: the scores behind the choice by name.
    """

    text: str
    written: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The text."""
        return self.text or "nothing"

    def __str__(self) -> str:
        return "\n".join([Answer.__str__(self), *(f"    or: {text}" for text in self.others)])

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "text": self.text,
            "written": self.written,
            "parts": dict(self.parts),
            "others": list(self.others),
            **Answer.to_json(self),
            "signals": {name: round(value, 4) for name, value in self.signals.items()},
        }
