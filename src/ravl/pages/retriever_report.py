"""The report of a training: scores before and after, examples that changed, and its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.evaluation import Score
from ravl.pages.render import render

Change = tuple[Score, Score, Score]  # before, after, and after minus before

PLAIN = frozenset({"median_rank", "MRR", "nDCG@10"})  # measures that are no shares
LOWER = frozenset({"median_rank"})  # measures of which less is better
WIDTH, HEIGHT = 420, 200  # of the curve, in its own units: about pixels, on a phone
LEFT, RIGHT, TOP, BOTTOM = 52, 40, 24, 34  # margins of the curve, for its words


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of one data set or task.

    Args:
        caption: what was measured, on what.
        rows: for each direction, such as "text to picture", its measures by name.
        plain: names of measures that are no shares; the others are shown in percent.
        lower: names of measures of which less is better.
    """

    caption: str
    rows: Sequence[tuple[str, dict[str, Change]]]
    plain: frozenset[str] = PLAIN
    lower: frozenset[str] = LOWER


@dataclass(frozen=True, slots=True)
class ShownHit:
    """One picture that a query found.

    Args:
        thumbnail: a data URI, None where there is no picture.
        caption: its text.
        right: whether it is what the query should find.

    Raises:
        ValueError: the thumbnail is no data URI, and the page would not stand alone.
    """

    thumbnail: str | None
    caption: str
    right: bool

    def __post_init__(self) -> None:
        _only_data(self.thumbnail)


@dataclass(frozen=True, slots=True)
class Example:
    """One query, with what it found before and after.

    Args:
        query: its text; for a picture, what it shows.
        before: hits of the encoder as it came, best first.
        after: hits of the trained one, best first.
        picture: data URI of the query picture, None for a query by text.

    Raises:
        ValueError: the picture is no data URI.
    """

    query: str
    before: Sequence[ShownHit]
    after: Sequence[ShownHit]
    picture: str | None = None

    def __post_init__(self) -> None:
        _only_data(self.picture)


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
        about: names and values of what was trained, on what, for how long.
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
        curve=_curve(curve) if curve else None,
        unit=unit,
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """One measure of one direction, in words."""

    name: str
    before: tuple[str, str]  # value and interval
    after: tuple[str, str]
    difference: tuple[str, str]
    verdict: str  # "better", "worse", or "" where chance may have done it


@dataclass(frozen=True, slots=True)
class _Curve:
    """The curve in the coordinates of its drawing, with the numbers at its axes."""

    points: list[tuple[float, float]]
    steps: tuple[str, str]  # first and last
    shares: list[tuple[float, str]]  # height and words of each line across
    best: tuple[float, float, str]
    words: str  # what it shows, for who cannot see it


def _table(table: Table) -> dict[str, object]:
    rows = [
        (direction, [_cell(table, name, change) for name, change in measures.items()])
        for direction, measures in table.rows
    ]
    return {"caption": table.caption, "rows": rows}


def _cell(table: Table, name: str, change: Change) -> _Cell:
    before, after, difference = change
    share = name not in table.plain
    shown, digits = _rounded(difference, share)
    verdict = ""
    # Judged as printed: "worse" beside "-0.001 to 0" would contradict the note below the tables.
    if shown.clear:
        verdict = "worse" if (shown.low < 0) != (name in table.lower) else "better"
    return _Cell(
        name=name.replace("_", " "),
        before=_parts(before, share),
        after=_parts(after, share),
        difference=_words(shown, digits, share),
        verdict=verdict,
    )


def _parts(score: Score, share: bool) -> tuple[str, str]:
    value, _, interval = (score.percent() if share else str(score)).rpartition(" (")
    return value, interval.removesuffix(")").replace("-", "–")


def _rounded(difference: Score, share: bool) -> tuple[Score, int]:
    """A difference as it is printed, shares in points of percent, and its digits."""
    numbers = [100 * x if share else x for x in (difference.value, difference.low, difference.high)]
    largest = max(abs(x) for x in numbers)
    digits = 1 if share or largest >= 10 else 2 if largest >= 1 else 3
    if not share and all(float(x).is_integer() for x in numbers):
        digits = 0
    value, low, high = (round(x, digits) for x in numbers)
    return Score(value, low, high), digits


def _words(rounded: Score, digits: int, share: bool) -> tuple[str, str]:
    """A rounded difference and its interval, each number with its sign."""
    value, low, high = (
        f"{x:+.{digits}f}".replace("-", "−") if x else "0"
        for x in (rounded.value, rounded.low, rounded.high)
    )
    return value + (" points" if share else ""), f"{low} to {high}"


def _curve(curve: list[tuple[float, float]]) -> _Curve:
    steps, shares = [p[0] for p in curve], [p[1] for p in curve]
    low, high = _bounds(min(shares), max(shares))
    across = max(steps) - min(steps) or 1.0

    def x(step: float) -> float:
        return round(LEFT + (step - min(steps)) / across * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - BOTTOM - (share - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    at, best = max(curve, key=lambda p: p[1])
    return _Curve(
        points=[(x(a), y(b)) for a, b in curve],
        steps=(f"{min(steps):,.0f}", f"{max(steps):,.0f}"),
        shares=[(y(s), f"{100 * s:.0f} %") for s in (low, (low + high) / 2, high)],
        best=(x(at), y(best), f"{100 * best:.1f} %"),
        words=f"from {100 * shares[0]:.1f} % to {100 * shares[-1]:.1f} %, "
        f"best {100 * best:.1f} % at {at:,.0f}",
    )


def _bounds(low: float, high: float) -> tuple[float, float]:
    """Even numbers of percent around the curve, so that the middle is a whole one too."""
    down = int(low * 50) / 50
    up = max(-int(-high * 50 // 1) / 50, down + 0.04)
    return down, up


def _only_data(uri: str | None) -> None:
    if uri is not None and not uri.startswith("data:image/"):
        raise ValueError(f"A picture of a report must be a data URI, not {uri[:40]!r}.")
