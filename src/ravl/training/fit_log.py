"""What a fit has made of any task, beside the levels themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainedGenerator:
    """A generator, and what it has learned in a fit.

    Args:
        generator: that writes.
        curve: seconds and validation score after each epoch.
        seconds: of training.
        parameters: that were trained.
    """

    generator: Any
    curve: list[tuple[float, float]]
    seconds: float
    parameters: int


@dataclass(kw_only=True)
class FitLog:
    """What fitting says of itself.

    Args:
        chosen: the level that the run keeps.
        curves: seconds and validation score after each epoch, by what was trained.
        seconds: by what was fitted.
        parameters: trained, by what was fitted.
        validation: scores on the validation split of the levels that were chosen among.
    """

    chosen: str = "vote"
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
