"""The report of a training: scores before and after, examples that changed, and its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.evaluation import Score
from ravl.pages.charts import line_chart
from ravl.pages.render import only_data, render
from ravl.pages.score_words import Difference, difference, measure_name, value_and_interval

Change = tuple[Score, Score, Score]  # before, after, and after minus before

PLAIN = frozenset({"median_rank", "MRR", "nDCG@10"})  # measures that are not shares
LOWER = frozenset({"median_rank"})  # measures for which lower is better


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of one dataset or task.

    Args:
        caption: the measure and its data.
        rows: for each direction, such as "text to picture", its measures by name.
        plain: names of measures that are not shares; the others are shown in percent.
        lower: names of measures for which lower is better.
    """

    caption: str
    rows: Sequence[tuple[str, dict[str, Change]]]
    plain: frozenset[str] = PLAIN
    lower: frozenset[str] = LOWER


@dataclass(frozen=True, slots=True)
class ShownHit:
    """One picture that a query found.

    Args:
        thumbnail: a data URI, None if there is no picture.
        caption: its text.
        right: True if the query should find it.

    Raises:
        ValueError: the thumbnail is no data URI, so the page would not be self-contained.
    """

    thumbnail: str | None
    caption: str
    right: bool

    def __post_init__(self) -> None:
        only_data(self.thumbnail)


@dataclass(frozen=True, slots=True)
class Example:
    """One query with its hits before and after.

    Args:
        query: its text; for a picture, what it shows.
        before: hits of the pretrained encoder, best first.
        after: hits of the trained encoder, best first.
        picture: data URI of the query picture, None for a query by text.

    Raises:
        ValueError: the picture is no data URI.
    """

    query: str
    before: Sequence[ShownHit]
    after: Sequence[ShownHit]
    picture: str | None = None

    def __post_init__(self) -> None:
        only_data(self.picture)


def retriever_report(
    title: str,
    about: list[tuple[str, str]],
    tables: list[Table],
    examples: list[Example],
    curve: list[tuple[float, float]],
    unit: str = "step",
) -> str:
    """A self-contained HTML page.

    Args:
        title: of the page.
        about: names and values: model, data and time.
        tables: scores, in the order of the page.
        examples: queries, in the order of the page.
        curve: (step, validation R@10 as a share), in the order of training; may be empty.
        unit: of the first number of the curve, such as "step" or "seconds".
    """
    return render(
        "retriever_report.html",
        title=title,
        about=about,
        tables=[_table(table) for table in tables],
        examples=examples,
        curve=line_chart([("", curve)], unit, percent=True),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """One measure of one direction, in words."""

    name: str
    before: tuple[str, str]  # value and interval
    after: tuple[str, str]
    difference: Difference


def _table(table: Table) -> dict[str, object]:
    rows = [
        (direction, [_cell(table, name, change) for name, change in measures.items()])
        for direction, measures in table.rows
    ]
    return {"caption": table.caption, "rows": rows}


def _cell(table: Table, name: str, change: Change) -> _Cell:
    before, after, gained = change
    share = name not in table.plain
    return _Cell(
        measure_name(name),
        value_and_interval(before, share),
        value_and_interval(after, share),
        difference(gained, share, name in table.lower),
    )
