"""What rows say for the tasks that choose among names: classify (one label) and tag (several)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ravl.data.readers import values
from ravl.encoders.base import Array
from ravl.memory import Row

LabelName = Literal["classify", "tag"]


@dataclass(frozen=True, slots=True)
class LabelTask:
    """One label, or several tags.

    Args:
        name: ``classify`` or ``tag``.
        column: of the user's own that holds the label or the tags; None for the usual field.
    """

    name: LabelName
    column: str | None = None

    @property
    def exclusive(self) -> bool:
        """True where a picture has one label."""
        return self.name == "classify"

    @property
    def noun(self) -> str:
        """What one answer is called."""
        return "label" if self.exclusive else "tag"

    def of(self, row: Row) -> tuple[str, ...]:
        """The names that a row says, empty where it says nothing."""
        if self.column is not None:
            value = row.columns.get(self.column)
            if value is None or value == "":
                return ()
            return (str(value),) if self.exclusive else tuple(values.tags(str(value)))
        if self.exclusive:
            return (row.label,) if row.label else ()
        return row.tags

    def names(self, rows: Sequence[Row], fewest: int = 1) -> list[str]:
        """All names that at least so many rows say, sorted."""
        counts = Counter(name for row in rows for name in set(self.of(row)))
        return sorted(name for name, count in counts.items() if count >= fewest)

    def truth(self, rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.int64]:
        """What metrics compare with: positions of labels (n,), or the table of tags (n, C).

        A label that is none of the names is -1: it can only be missed.
        """
        table = self.table(rows, names)
        if not self.exclusive:
            return table.astype(np.int64)
        return np.where(table.sum(1) > 0, table.argmax(1), -1)

    def table(self, rows: Sequence[Row], names: Sequence[str]) -> Array:
        """What each row says, (n, C): 1 for its names, 0 for others."""
        places = {name: i for i, name in enumerate(names)}
        said = np.zeros((len(rows), len(names)), np.float32)
        for i, row in enumerate(rows):
            for name in self.of(row):
                if name in places:
                    said[i, places[name]] = 1
        return said
