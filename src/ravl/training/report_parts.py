"""What the reports of all fitted tasks have in common: tables of scores, curves, thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation import Score, added_names, calibration_curve
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.pages.fit_report import (
    CalibrationChart,
    Curves,
    DifferenceRow,
    ExampleGroup,
    ReportExample,
    ScoreRow,
    ScoreTable,
    Series,
)
from ravl.pages.render import row_uri
from ravl.training.fit_log import FitLog
from ravl.training.fit_report import FitReport
from ravl.training.report_rows import ROWS
from ravl.training.splits import SPLIT_NAMES

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
        f"test split (confidence {safe['threshold']:.2f} and above), {100 * safe['wrong']:.1f} % "
        "of that wrongly"
    )


def counts_of(splits: object) -> str:
    """How many examples each split has, in words.

    Args:
        splits: with ``train``, ``validation`` and ``test``, each of which has a length.
    """
    return ", ".join(f"{name} {len(getattr(splits, name)):,}" for name in SPLIT_NAMES)


def level_of(fitted: FitLog, measure: str = "") -> str:
    """The level that a run keeps, with the validation scores that it was chosen by."""
    scores = ", ".join(f"{name} {score:.3f}" for name, score in fitted.validation.items())
    return (
        f"{fitted.chosen} (validation{measure and f' {measure}'}: {scores})"
        if scores
        else fitted.chosen
    )


def fit_lines(fitted: FitLog, report: FitReport, seed: int, command: str) -> list[tuple[str, str]]:
    """The last lines of what a page says about a fit: how it was made, and notes.

    Args:
        fitted: what fitting says of itself.
        report: of the fit; its metrics say what abstaining does.
        seed: of the settings.
        command: that made the run.
    """
    trained = ", ".join(f"{name} {count:,}" for name, count in fitted.parameters.items())
    seconds = ", ".join(f"{name} {time:.0f} s" for name, time in fitted.seconds.items())
    return [
        ("trained parameters", trained or "none"),
        ("time", f"{seconds}; {report.seconds:.0f} s in all"),
        ("abstaining", safely(report.metrics["abstain"])),
        ("seed", str(seed)),
        ("command", command),
        *(("note", note) for note in report.notes),
    ]


def calibration_chart(
    title: str,
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    error: float | None = None,
) -> CalibrationChart:
    """How often answers are right, by their confidence.

    Args:
        title: of the chart.
        confidence: of n answers, (n,).
        right: whether each is, (n,).
        error: the expected calibration error; None for that of the chart's own bins.
    """
    bins = [(b.confidence, b.accuracy, b.count) for b in calibration_curve(confidence, right)]
    if error is None:
        gaps, counts = [abs(c - a) for c, a, _ in bins], [count for *_, count in bins]
        error = float(np.average(gaps, weights=counts))
    return CalibrationChart(title, bins, error)


Group = tuple[str, str, NDArray[np.bool_]]  # title, note, which of the test examples are in it


def changed_by_retrieval(after: NDArray[np.bool_], before: NDArray[np.bool_]) -> list[Group]:
    """Groups of examples by whether the answer is right with retrieval and without it, (n,)."""
    return [
        ("Changed by retrieval, for the better", "wrong without, right with", after & ~before),
        ("Changed by retrieval, for the worse", "right without, wrong with", before & ~after),
        ("Wrong", "with retrieval and without", ~after & ~before),
        ("Right", "with retrieval and without", after & before),
    ]


def gallery(
    groups: Sequence[Group],
    most: int,
    seed: int,
    unit: str,
    example: Callable[[int], ReportExample],
) -> list[ExampleGroup]:
    """Examples of each group, drawn by chance, not by how well they look; empty groups go.

    Args:
        groups: of the n test examples.
        most: shown of each group.
        seed: of the draw.
        unit: what one example is called.
        example: shows the example at a position.
    """
    random = np.random.default_rng(seed)
    shown = []
    for title, note, chosen in groups:
        some = random.permutation(np.flatnonzero(chosen))[:most]
        if examples := [example(int(i)) for i in some]:
            note = f"{note}: {int(chosen.sum()):,} of {len(chosen):,} test {unit}s"
            shown.append(ExampleGroup(title, note, examples))
    return shown
