"""Scores in words: values with their intervals, and differences with a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl.evaluation import Score

Verdict = Literal["better", "worse", ""]  # the last one if the difference may be chance

NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "coverage@5%risk": "coverage at 5 % risk",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference in words.

    Args:
        value: with its sign, and the word points for a share.
        interval: "+1.1 to +5.3".
        verdict: better, worse, or not clear.
    """

    value: str
    interval: str
    verdict: Verdict


def measure_name(name: str) -> str:
    """The usual name of a measure."""
    return NAMES.get(name, name.replace("_", " "))


def value_and_interval(score: Score, share: bool) -> tuple[str, str]:
    """A score in two parts: ``25.1 %`` and ``22.9–27.3``."""
    value, _, interval = (score.percent() if share else str(score)).rpartition(" (")
    return value, interval.removesuffix(")").replace("-", "–")


def difference(score: Score, share: bool, lower: bool) -> Difference:
    """A difference in words.

    Args:
        score: after minus before.
        share: show it in points of percent.
        lower: lower values are better.
    """
    shown, digits = _rounded(score, share)
    verdict: Verdict = ""
    # Decided by the printed numbers: "worse" beside "-0.001 to 0" would contradict the note.
    if shown.clear:
        verdict = "worse" if (shown.low < 0) != lower else "better"
    value, low, high = (
        f"{x:+.{digits}f}".replace("-", "−") if x else "0"
        for x in (shown.value, shown.low, shown.high)
    )
    return Difference(value + (" points" if share else ""), f"{low} to {high}", verdict)


def _rounded(difference: Score, share: bool) -> tuple[Score, int]:
    """A difference as it is printed, shares in points of percent, and its digits."""
    numbers = [100 * x if share else x for x in (difference.value, difference.low, difference.high)]
    largest = max(abs(x) for x in numbers)
    digits = 1 if share or largest >= 10 else 2 if largest >= 1 else 3
    if not share and all(float(x).is_integer() for x in numbers):
        digits = 0
    value, low, high = (round(x, digits) for x in numbers)
    return Score(value, low, high), digits
