"""Champion and challenger on the same pictures, each as it would answer now.

Both answer from the memory as it is; no picture is judged with itself, or a near-duplicate of it,
in the evidence.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation import Score, is_percent
from ravl.json_types import JsonObject
from ravl.pages.score_words import difference
from ravl.training.paired_results import CHALLENGER, CHAMPION, PairedResults
from ravl.training.run_record import tables_json

Promote = Literal["better", "always", "never"]
TOGETHER, FROZEN, NEWEST = "together", "frozen", "newest"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both on the same examples.

    Args:
        examined: their answers.
        metric: that is decided by.
        parts: positions of ``together``, ``frozen`` and, where there is one, ``newest``.
        scores: by part, then by who, then by metric.
        differences: of challenger and champion by part and metric, paired.
    """

    examined: PairedResults
    metric: str
    parts: dict[str, NDArray[np.int64]]
    scores: dict[str, dict[str, dict[str, Score]]]
    differences: dict[str, dict[str, Score]]

    def to_json(self) -> JsonObject:
        """What ``refits.json`` says of it."""
        return {
            part: {
                **tables_json(self.scores[part]),
                "difference": tables_json({"": self.differences[part]})[""],
            }
            for part in self.parts
        }


def compared(examined: PairedResults, metric: str, frozen: Collection[str]) -> Comparison:
    """Scores on all examples, and on those of each split.

    Args:
        examined: answers of both.
        metric: to decide by, the primary one of the task.
        frozen: hashes of the pictures that were the champion's test split.
    """
    stays = np.array([row.hash in frozen for row in examined.rows], bool)
    parts = {TOGETHER: np.arange(len(stays)), FROZEN: np.flatnonzero(stays)}
    if not stays.all():
        parts[NEWEST] = np.flatnonzero(~stays)
    return Comparison(
        examined,
        metric,
        parts,
        {
            part: {who: examined.measure(who, chosen) for who in (CHAMPION, CHALLENGER)}
            for part, chosen in parts.items()
        },
        {part: examined.compare(chosen) for part, chosen in parts.items()},
    )


def decide(comparison: Comparison, promote: Promote) -> tuple[bool, str]:
    """Whether the challenger takes the champion's place, and why.

    Better means: the interval of the difference on all examples together is above 0, and that on
    the frozen split alone is not below it.
    """
    metric = comparison.metric
    gain = comparison.differences[TOGETHER].get(metric)
    frozen = comparison.differences[FROZEN].get(metric)
    difference = f"{metric} {_in_words(metric, gain)}"
    if promote != "better":
        return promote == "always", f"as --promote {promote} says ({difference})"
    if frozen is not None and frozen.high < 0:
        return False, f"it is worse on the frozen test split: {metric} {_in_words(metric, frozen)}"
    if gain is None or gain.low <= 0:
        return False, f"it is not better by more than chance: {difference}"
    return True, f"it is better by more than chance: {difference}"


def _in_words(metric: str, gain: Score | None) -> str:
    if gain is None:
        return "could not be measured"
    shown = difference(gain, is_percent(metric), lower=False)
    return f"{shown.value} ({shown.interval})".replace("−", "-")
