"""What ``ravl refit`` asks of a task: how to fit a run again, and how to compare the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ravl.memory import Row
from ravl.training.paired_results import PairedResults


@dataclass(frozen=True, eq=False)
class RefitHooks:
    """How a run is fitted again.

    Args:
        start: the predictor of the run; the new fit begins with its weights.
        says: what a row says for the task, as the run reads it; empty for nothing.
        words: the same for people, with what was asked.
        compare: lets two pipelines answer the same examples: ``(champion, challenger, examples,
            seed)``; neither has learned from these, and the seed is of the intervals.
        stratum: what splits that are drawn have alike; "" where they are drawn by chance alone.
        counted: what rows say are names out of a list, worth counting.
    """

    start: object
    says: Callable[[Row], Sequence[str]]
    words: Callable[[Row], str]
    compare: Callable[..., PairedResults]
    stratum: Callable[[Row], str] = lambda _: ""
    counted: bool = False
