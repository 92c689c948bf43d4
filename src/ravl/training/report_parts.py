"""What the reports of all fitted tasks have in common: tables of scores, curves, thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ravl.evaluation import Score, added_names
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.pages.fit_report import Curves, DifferenceRow, ScoreRow, ScoreTable, Series
from ravl.pages.render import row_uri
from ravl.training.fit_log import FitLog
from ravl.training.report_rows import ROWS

LEVELS = (
    "vote_human",
    "vote",
    "linear alone",
    "linear",
    "fusion_off alone",
    "fusion_off",
    "fusion alone",
    "fusion",
)
RETRIEVAL = ("retrieval_on", "retrieval_off", "retrieval_shuffled")
SIDE = 120  # of a thumbnail, in pixels


class Measured(Protocol):
    """What a table says of a task; :class:`ravl.tasks.contract.Task` has it."""

    @property
    def measures(self) -> Sequence[str]:
        """Metrics of the columns."""

    @property
    def primary(self) -> str:
        """The metric that rows are compared by."""


class Scored(Protocol):
    """What judging found, of any task."""

    @property
    def scores(self) -> Mapping[str, Mapping[str, Score]]:
        """By name of the row, then by metric."""

    @property
    def differences(self) -> Mapping[tuple[str, str], Mapping[str, Score]]:
        """By names of two rows, the first minus the second."""


def scores_json(
    judged: Scored,
    fitted: FitLog,
    levels: Sequence[str] = LEVELS,
    retrieval: Sequence[str] = RETRIEVAL,
) -> JsonObject:
    """What ``metrics.json`` holds: the four rows under their own names, and the rest.

    Args:
        judged: the scores.
        fitted: what they are of.
        levels, retrieval: names of the rows in these tables; those that are not there go.
    """

    def table(names: Sequence[str]) -> JsonObject:
        return {
            name: {m: s.to_json() for m, s in judged.scores[name].items()}
            for name in names
            if name in judged.scores
        }

    differences = {
        f"{after} - {before}": {m: s.to_json() for m, s in scores.items()}
        for (after, before), scores in judged.differences.items()
    }
    return {
        "rows": table(ROWS),
        "levels": table(levels),
        "retrieval": table(retrieval),
        "differences": differences,
        "validation": fitted.validation,
        "curves": fitted.curves,
        "fit_seconds": fitted.seconds,
        "parameters": fitted.parameters,
    }


def score_table(
    task: Measured,
    judged: Scored,
    caption: str,
    note: str,
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    titles: Mapping[str, tuple[str, str]],
) -> ScoreTable:
    """Rows of a table with the differences of some pairs of them; rows that are not there go."""
    there = [name for name in names if name in judged.scores]
    primary = task.primary
    best = (
        max(
            there,
            key=lambda n: judged.scores[n][primary].value if primary in judged.scores[n] else 0,
        )
        if there
        else ""
    )
    rows = [ScoreRow(*titles[n], judged.scores[n], n == best) for n in there]
    differences = [
        DifferenceRow(f"{titles[a][0]} − {titles[b][0]}", judged.differences[a, b])
        for a, b in pairs
        if (a, b) in judged.differences
    ]
    measures = [
        m for m in (*task.measures, *added_names()) if any(m in judged.scores[n] for n in there)
    ]
    return ScoreTable(caption, note, measures, rows, differences)


def curves_of(task: Measured, fitted: FitLog) -> list[Curves]:
    """Validation scores by epoch."""
    names = {"fusion": "with retrieval", "fusion_off": "without", "vision": "vision tower"}
    series = [
        Series(names[name], [(float(i), score) for i, (_, score) in enumerate(curve, 1)])
        for name, curve in fitted.curves.items()
        if curve and name in names
    ]
    if not series:
        return []
    title = f"Validation {task.primary} less a tenth of the log loss"
    return [Curves(title, "epoch", False, series)]


def thumbnail(memory: Memory, row: Row) -> str | None:
    """A row's picture as a data URI; None where it cannot be read."""
    return row_uri(memory, row, SIDE)


def safely(safe: dict[str, float] | None) -> str:
    """What abstaining does, in words."""
    if safe is None:
        return "not calibrated"
    if not safe["answered"]:
        return f"at a risk of {100 * safe['risk']:g} % too few held-out examples to promise it"
    return (
        f"at a risk of {100 * safe['risk']:g} % it answers {100 * safe['answered']:.1f} % of the "
        f"test part (confidence {safe['threshold']:.2f} and above), {100 * safe['wrong']:.1f} % "
        "of that wrongly"
    )
