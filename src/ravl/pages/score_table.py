"""Tables of scores: rows to compare, and the differences of some rows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ravl.evaluation import Score, is_percent, lower_is_better
from ravl.pages.score_words import Difference, difference, measure_name, value_and_interval

TITLE = 34  # columns of a terminal for the name of a row
VERDICTS = {"better": "better", "worse": "worse", "": "not clear"}


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The scores of one model.

    Args:
        title: the name of the model.
        subtitle: a description; may be empty.
        scores: by name of the measure; missing scores are shown as absent.
        best: mark it.
    """

    title: str
    subtitle: str
    scores: Mapping[str, Score]
    best: bool = False


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One row minus another, of the same examples.

    Args:
        title: the names of the two rows.
        scores: the difference of each measure, and its interval.
    """

    title: str
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores to compare.

    Args:
        caption: the measure and its data.
        note: a note; may be empty.
        measures: names of the columns, the most important first.
        rows: the rows to compare.
        differences: of some rows. The first difference of the first table is the gain on the page.
        shares: names of measures that are shares; None for what the metrics of that name are.
    """

    caption: str
    note: str
    measures: Sequence[str]
    rows: Sequence[ScoreRow]
    differences: Sequence[DifferenceRow] = ()
    shares: frozenset[str] | None = None

    def is_percent(self, name: str) -> bool:
        """Whether a measure is read in percent."""
        return is_percent(name) if self.shares is None else name in self.shares

    def lower_is_better(self, name: str) -> bool:
        """Whether less of a measure is better."""
        return lower_is_better(name)


@dataclass(frozen=True, slots=True)
class Cell:
    """One score on a page.

    Args:
        name: the measure in words.
        value: the value in words.
        interval: the interval in words.
        low: place of the interval's lower end, in percent of the column's width, for the chart.
        at: place of the value.
        high: place of the interval's upper end.
    """

    name: str
    value: str
    interval: str
    low: float
    at: float
    high: float


@dataclass(frozen=True, slots=True)
class DifferenceCell:
    """One difference on a page; 0 is in the middle of its column.

    Args:
        words: its value, interval and verdict.
        cell: the same, with its places.
    """

    words: Difference
    cell: Cell


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table in words.

    Args:
        table: the table.
        names: of the measures.
        rows: each with its cells; None for a missing measure.
        differences: each with its cells.
    """

    table: ScoreTable
    names: list[str]
    rows: list[tuple[ScoreRow, list[Cell | None]]]
    differences: list[tuple[DifferenceRow, list[DifferenceCell | None]]]


def shown(table: ScoreTable) -> ShownTable:
    """A table for a template."""
    scales = {name: _scale(table.rows, name) for name in table.measures}
    gains = {name: _even(_scale(table.differences, name)) for name in table.measures}
    return ShownTable(
        table,
        [measure_name(name) for name in table.measures],
        [
            (row, [_cell(table, name, row.scores.get(name), scales[name]) for name in scales])
            for row in table.rows
        ],
        [
            (row, [_difference(table, name, row.scores.get(name), gains[name]) for name in gains])
            for row in table.differences
        ],
    )


def terminal_table(table: ScoreTable) -> list[str]:
    """The same rows as aligned lines of plain text, the differences below.

    The best row is marked with an asterisk. Three measures fit 110 columns.
    """
    plain = [_plain_row(table, row) for row in table.rows]
    gains = [_plain_gain(table, row) for row in table.differences]
    columns = [[measure_name(name)] for name in table.measures]
    for _, cells in plain + gains:
        for column, cell in zip(columns, cells, strict=True):
            column.extend(cell)
    widths = [max(map(_columns, column)) for column in columns]
    head = _lines([""], [[measure_name(name)] for name in table.measures], widths)
    lines = [*head, *(line for row in plain for line in _lines(*row, widths))]
    if gains:
        lines.append("")
        lines += [line for row in gains for line in _lines(*row, widths)]
    return lines


def _scale(rows: Sequence[ScoreRow | DifferenceRow], name: str) -> tuple[float, float]:
    scores = [row.scores[name] for row in rows if name in row.scores]
    ends = [end for score in scores for end in (score.low, score.value, score.high)]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _even(scale: tuple[float, float]) -> tuple[float, float]:
    reach = max(map(abs, scale)) or 1.0
    return -reach, reach


def _cell(
    table: ScoreTable, name: str, score: Score | None, scale: tuple[float, float]
) -> Cell | None:
    if score is None:
        return None
    least, most = scale
    low, at, high = (
        round(100 * (end - least) / ((most - least) or 1.0), 1)
        for end in (score.low, score.value, score.high)
    )
    value, interval = value_and_interval(score, table.is_percent(name))
    return Cell(measure_name(name), value, interval, low, at, high)


def _difference(
    table: ScoreTable, name: str, score: Score | None, scale: tuple[float, float]
) -> DifferenceCell | None:
    cell = _cell(table, name, score, scale)
    if score is None or cell is None:
        return None
    return DifferenceCell(
        difference(score, table.is_percent(name), table.lower_is_better(name)), cell
    )


PlainRow = tuple[list[str], list[list[str]]]  # lines of the title, and of each cell


def _plain_row(table: ScoreTable, row: ScoreRow) -> PlainRow:
    cells = []
    for name in table.measures:
        score = row.scores.get(name)
        shown = "-" if score is None else score.percent() if table.is_percent(name) else str(score)
        cells.append([shown])
    return _wrapped(row.title + (" *" if row.best else "")), cells


def _plain_gain(table: ScoreTable, row: DifferenceRow) -> PlainRow:
    cells = []
    for name in table.measures:
        score = row.scores.get(name)
        if score is None:
            cells.append(["-"])
            continue
        words = difference(score, table.is_percent(name), table.lower_is_better(name))
        value = words.value.removesuffix(" points")
        plain = f"{value} ({words.interval})".replace("−", "-")  # some terminals have no sign
        cells.append([plain, VERDICTS[words.verdict]])
    return _wrapped(row.title), cells


def _wrapped(title: str) -> list[str]:
    # Names can contain control characters, which must not reach the terminal.
    clean = "".join(c if c.isprintable() else " " for c in title)
    return textwrap.wrap(clean, TITLE) or [""]


def _lines(title: list[str], cells: list[list[str]], widths: list[int]) -> Iterator[str]:
    for first, *rest in zip_longest(title, *cells, fillvalue=""):
        parts = [_padded(first, TITLE)] + [_padded(c, w) for c, w in zip(rest, widths, strict=True)]
        yield "  ".join(parts).rstrip()


def _padded(words: str, width: int) -> str:
    return words + " " * (width - _columns(words))


def _columns(words: str) -> int:
    """The width in terminal columns; a Chinese character needs two."""
    from rich.cells import cell_len

    return cell_len(words)
