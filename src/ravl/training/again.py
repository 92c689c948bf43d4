"""Fitting once more: what a first fit leaves for it, and what it hands to the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ravl.memory import Memory
from ravl.tasks.labeller import Labeller
from ravl.training.labelled import Labelled, remember
from ravl.training.parts import Parts
from ravl.training.sources import Told, notes_of

REFITTED = ("classify", "tag")  # tasks that can be
SPLIT = "split.json"  # which picture was in which part, by id and by the hash of its file
HELD = "held.ravl"  # pictures of a table that the run's memory does not show


@dataclass(frozen=True, eq=False)
class Again:
    """A fit whose parts are known beforehand.

    Args:
        labelled: the examples.
        parts: of them.
        digest: of both, so that an interrupted fit goes on with the same ones only.
        start: the labeller whose weights the fusion model begins with.
    """

    labelled: Labelled
    parts: Parts
    digest: str
    start: Labeller

    @contextmanager
    def told(self, check: Callable[[Labelled, Parts], None]) -> Iterator[Told]:
        """The examples as :func:`ravl.training.sources.told` gives them."""
        check(self.labelled, self.parts)
        yield self.labelled, self.parts, self.labelled.source, notes_of(self.labelled, self.parts)


def keep_held(out: Path, memory: Memory, parts: Sequence[Labelled]) -> None:
    """Keep the pictures of a table that the memory does not show, for a refit to be judged by.

    Args:
        out: the run's folder.
        memory: of the run.
        parts: all that was learned from and judged by.
    """
    (out / HELD).unlink(missing_ok=True)
    if all(part.source is memory for part in parts):
        return
    shown = memory.looked_at()
    with Memory.create(out / HELD, memory.encoder) as held:
        for part in parts:
            missing = np.flatnonzero([row.hash not in shown for row in part.rows])
            remember(held, part.take(missing), "keep what is held out", lambda row: row.id)
