"""The report of a fit: the gain of retrieval, and whether it is clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ravl.pages.charts import Chart, line_chart, reliability_chart
from ravl.pages.fit_parts import (
    Answer,
    CalibrationChart,
    Confusion,
    Curves,
    EvidenceItem,
    ExampleGroup,
    LabelLine,
    ReportExample,
    Series,
)
from ravl.pages.render import render
from ravl.pages.score_table import DifferenceRow, ScoreRow, ScoreTable, shown, terminal_table

__all__ = [
    "Answer",
    "CalibrationChart",
    "Confusion",
    "Curves",
    "DifferenceRow",
    "EvidenceItem",
    "ExampleGroup",
    "FitPage",
    "LabelLine",
    "ReportExample",
    "ScoreRow",
    "ScoreTable",
    "Series",
    "fit_report",
    "terminal_table",
]

LABELS = 30  # lines of labels shown at once
EXAMPLES = 6  # examples of a group shown at once
SHADED = 20  # maximal number of labels for a table of confusions
FREQUENT = 20  # listed confusions for more labels


@dataclass(frozen=True, slots=True)
class FitPage:
    """The content of the report. Empty parts are left out.

    Args:
        title: the title of the page.
        about: names and values: model, data and settings.
        rows: the first table of the page; its first difference is the gain of retrieval.
        tables: more scores.
        calibration: for example before and after.
        curves: the training curves.
        labels: one line per label, in any order.
        confusion: the confusions of the model with retrieval.
        text_report: scikit-learn's classification report.
        examples: pictures with answers and evidence.
    """

    title: str
    about: Sequence[tuple[str, str]]
    rows: ScoreTable
    tables: Sequence[ScoreTable] = ()
    calibration: Sequence[CalibrationChart] = ()
    curves: Sequence[Curves] = ()
    labels: Sequence[LabelLine] = ()
    confusion: Confusion | None = None
    text_report: str = ""
    examples: Sequence[ExampleGroup] = field(default=())


def fit_report(report: FitPage) -> str:
    """A self-contained HTML page."""
    curves = [(part, _chart(part)) for part in report.curves]
    return render(
        "fit_report.html",
        title=report.title,
        report=report,
        rows=shown(report.rows),
        tables=[shown(table) for table in report.tables],
        calibration=[(part, reliability_chart(part.bins)) for part in _calibrated(report)],
        curves=[(part, chart) for part, chart in curves if chart],
        labels=_labels(report.labels),
        confusion=_confusion(report.confusion),
        groups=[group for group in report.examples if group.examples],
        at_once=EXAMPLES,
    )


@dataclass(frozen=True, slots=True)
class _Labels:
    """Lines of labels, the largest gain first."""

    first: list[LabelLine]
    rest: list[LabelLine]
    better: int
    worse: int
    reach: float  # the largest gain or loss
    least: float  # the smallest gain


@dataclass(frozen=True, slots=True)
class _Confused:
    """One cell of the table of confusions."""

    count: int
    share: float  # of the examples of the true label
    truth: str
    answer: str

    @property
    def shade(self) -> float:
        """The darkness, 0..1: by the square root, so that single mistakes are visible."""
        return round(math.sqrt(self.share), 2)


@dataclass(frozen=True, slots=True)
class _Confusion:
    """Confusions as a table of rows, or as a list."""

    labels: Sequence[str]
    rows: list[tuple[str, int, list[_Confused]]]  # label, examples, cells
    frequent: list[_Confused]
    wrong: int


def _chart(curves: Curves) -> Chart | None:
    series = [(series.name, series.points) for series in curves.series]
    return line_chart(series, curves.unit, curves.percent)


def _calibrated(report: FitPage) -> list[CalibrationChart]:
    return [part for part in report.calibration if part.bins]


def _labels(lines: Sequence[LabelLine]) -> _Labels | None:
    if not lines:
        return None
    ordered = sorted(lines, key=lambda line: (-line.gain, -line.support))
    gains = [line.gain for line in ordered]
    return _Labels(
        ordered[:LABELS],
        ordered[LABELS:],
        sum(gain > 0 for gain in gains),
        sum(gain < 0 for gain in gains),
        max(map(abs, gains)) or 1.0,
        gains[-1],
    )


def _confusion(confusion: Confusion | None) -> _Confusion | None:
    if confusion is None or not confusion.labels:
        return None
    rows = []
    for truth, counts in zip(confusion.labels, confusion.matrix, strict=True):
        total = int(sum(counts))
        cells = [
            _Confused(int(count), int(count) / (total or 1), truth, answer)
            for answer, count in zip(confusion.labels, counts, strict=True)
        ]
        rows.append((truth, total, cells))
    mistakes = [
        cell
        for i, (_, _, cells) in enumerate(rows)
        for j, cell in enumerate(cells)
        if i != j and cell.count
    ]
    wrong = sum(cell.count for cell in mistakes)
    if len(rows) <= SHADED:
        return _Confusion(confusion.labels, rows, [], wrong)
    mistakes.sort(key=lambda cell: -cell.count)
    return _Confusion(confusion.labels, [], mistakes[:FREQUENT], wrong)
