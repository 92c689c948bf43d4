"""What a user can choose when rate is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl.training.loop_settings import LoopSettings, check_bounds, check_shares


@dataclass(frozen=True, kw_only=True)
class RateSettings(LoopSettings):
    """How to fit rate.

    Args:
        column: that holds the number.
        model: vote (the neighbours' numbers, nothing trained), linear (a ridge regression beside
            them), or auto for the better on validation.
        k: neighbours that vote; 0 for the best on validation.
        validation_share: of those not for testing, held out to choose by, where none are named.
        test_share: of the pictures, held out to judge by, where none are named.
        add_to_memory: bring the training pictures of a table into the memory.
    """

    column: str = "number"
    model: Literal["auto", "vote", "linear"] = "auto"
    k: int = 0
    validation_share: float = 0.15
    test_share: float = 0.2
    add_to_memory: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self, 0, 1000, "k")
        check_shares(self, "validation_share", "test_share")
