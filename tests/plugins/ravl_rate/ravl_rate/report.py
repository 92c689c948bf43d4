"""The report of a fit: the rows with their errors, and pictures with the numbers that they got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ravl.pages.fit_report import DifferenceRow, FitPage, ScoreRow, ScoreTable, fit_report

from .evaluate import TestResults

if TYPE_CHECKING:
    from ravl.training.fit_report import FitReport

    from .fit import Fitted, RateData

TITLES = {
    "zero_shot": ("the usual number", "the median of training, whatever the picture"),
    "vote": ("neighbour vote", "the neighbours' numbers, nothing trained"),
    "no_retrieval": ("fitted, no retrieval", "a ridge regression"),
    "with_retrieval": ("fitted, with retrieval", "the run"),
}


def rows_table(results: TestResults, data: RateData) -> ScoreTable:
    """The rows of the report."""
    rows = [
        ScoreRow(*TITLES[name], results.scores[name], name == "with_retrieval")
        for name in TITLES
        if name in results.scores
    ]
    differences = [
        DifferenceRow(f"{TITLES[after][0]} − {TITLES[before][0]}", scores)
        for (after, before), scores in results.differences.items()
    ]
    count = len(data.by_split["test"].numbers)
    return ScoreTable(
        f"{count:,} test pictures",
        f"Errors are in the unit of the column {data.settings.column}.",
        list(results.scores["with_retrieval"]),
        rows,
        differences,
    )


def page_of(
    results: TestResults, data: RateData, fitted: Fitted, report: FitReport, command: str
) -> str:
    """``report.html``."""
    about = [
        ("Task", f"rate: the column {data.settings.column}"),
        ("Memory", str(data.memory.path)),
        ("Level", fitted.chosen),
        ("Split", data.splits.how),
        ("Command", command),
    ]
    return fit_report(FitPage(f"rate: {report.out.name}", about, rows_table(results, data)))
