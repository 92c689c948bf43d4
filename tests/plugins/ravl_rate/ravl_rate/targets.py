"""What a row says for rate: the number of a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.memory import Row


@dataclass(frozen=True, slots=True)
class NumberTargets:
    """The number of a row.

    Args:
        column: that holds it.
    """

    column: str

    @property
    def noun(self) -> str:
        """What one answer is called."""
        return "number"

    def of(self, row: Row) -> tuple[str, ...]:
        """The number of a row as a text; empty where it has none."""
        number = self.number(row)
        return () if math.isnan(number) else (f"{number:.6g}",)

    def number(self, row: Row) -> float:
        """The number of a row; NaN where it has none."""
        try:
            return float(row.columns.get(self.column))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return math.nan

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The numbers of n rows, (n,); NaN where a row has none."""
        return np.array([self.number(row) for row in rows], np.float32)
