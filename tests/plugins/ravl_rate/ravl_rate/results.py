"""What rate answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ravl.runs.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating(Answer):
    """A number for a picture. A number is never right or wrong, so its confidence is 1.

    Args:
        number: that was given.
        error: the mean absolute error to be expected, in the same unit.
    """

    number: float
    error: float

    @property
    def said(self) -> str:
        """The number in words."""
        return f"{self.number:.4g}"

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"number": self.number, "error": self.error, **Answer.to_json(self)}

    def __str__(self) -> str:
        return f"{self.said} ± {self.error:.3g}"
