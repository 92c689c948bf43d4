"""The geometry of charts: numbers to places in an SVG, and a description in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 420, 200  # size of a chart, in its own units: about pixels on a phone
LEFT, RIGHT, TOP, BOTTOM = 52, 40, 24, 34  # margins, for the labels
SIDE = 260  # size of the square calibration chart
DOTTED = 40  # lines with at most this many points have marks
ROUNDING = 1e-9  # rounding error of numbers such as 15 * 0.02
DRAWN = 500  # maximal number of points of a line


@dataclass(frozen=True, slots=True)
class Frame:
    """The range and the size of a chart.

    Args:
        across: minimum and maximum from left to right.
        up: minimum and maximum from bottom to top.
        width: width of the drawing with its margins.
        height: height of the drawing with its margins.
    """

    across: tuple[float, float]
    up: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT

    def x(self, number: float) -> float:
        """The place of a number, from the left."""
        least, most = self.across
        inside = self.width - LEFT - RIGHT
        return round(LEFT + (number - least) / ((most - least) or 1.0) * inside, 1)

    def y(self, number: float) -> float:
        """The place of a number, from the top."""
        least, most = self.up
        inside = self.height - TOP - BOTTOM
        return round(self.height - BOTTOM - (number - least) / ((most - least) or 1.0) * inside, 1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, in the coordinates of its drawing.

    Args:
        name: in the legend.
        points: places.
        summary: the first and the last number, in words.
        dots: mark each point.
    """

    name: str
    points: list[tuple[float, float]]
    summary: str
    dots: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines in the coordinates of their drawing, with the numbers at its axes.

    Args:
        frame: of the drawing.
        lines: in the order of the legend.
        rules: height and label of each horizontal line.
        ends: the first and the last number on the horizontal axis.
        unit: unit of the horizontal axis.
        words: a description of the chart.
        best: place and label of a mark; None without a mark.
        dots: places of single points.
    """

    frame: Frame
    lines: list[Line]
    rules: list[tuple[float, str]]
    ends: tuple[str, str]
    unit: str
    words: str
    best: tuple[float, float, str] | None = None
    dots: Sequence[tuple[float, float]] = ()

    @property
    def right(self) -> int:
        """The right end of the horizontal lines."""
        return self.frame.width - RIGHT

    @property
    def below(self) -> int:
        """The position of the labels below."""
        return self.frame.height - 12


def line_chart(
    series: Sequence[tuple[str, Points]], unit: str, percent: bool, loose: Points = ()
) -> Chart | None:
    """A chart of one or more lines; None without points.

    A single line of shares has its best point marked. Points that are not finite, such as the loss
    of a training that failed, are left out.

    Args:
        series: names and points, each from left to right.
        unit: unit of the horizontal axis.
        percent: the vertical numbers are shares.
        loose: single points; if given, only these are marked.
    """
    kept = [(name, _finite(points)) for name, points in series]
    kept = [(name, points) for name, points in kept if points]
    if not kept:
        return None
    loose = _finite(loose)
    every = [point for _, points in kept for point in points] + loose
    steps, numbers = [p[0] for p in every], [p[1] for p in every]
    frame = Frame(
        (min(steps), max(steps)), (_shares if percent else _rounds)(min(numbers), max(numbers))
    )
    low, high = frame.up
    alone = percent and len(kept) == 1
    return Chart(
        frame,
        [_line(name, points, frame, percent, not loose) for name, points in kept],
        [(frame.y(n), _number(n, percent, 0)) for n in (low, (low + high) / 2, high)],
        (_plain(min(steps)), _plain(max(steps))),
        unit,
        "; ".join(_in_words(name, points, percent, alone) for name, points in kept),
        _best(kept[0][1], frame) if alone else None,
        [(frame.x(a), frame.y(b)) for a, b in loose],
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """A calibration chart: accuracy against confidence.

    Args:
        frame: of the drawing.
        dots: place, radius and height of the diagonal of each bin.
        words: a description of the chart.
    """

    frame: Frame
    dots: list[tuple[float, float, float, float]]
    words: str


def reliability_chart(bins: Sequence[tuple[float, float, int]]) -> Reliability:
    """The chart of (confidence, accuracy, count); larger dots are more answers."""
    frame = Frame((0, 1), (0, 1), SIDE + LEFT + RIGHT - TOP - BOTTOM, SIDE)
    largest = max((count for _, _, count in bins), default=1) or 1
    return Reliability(
        frame,
        [
            (frame.x(c), frame.y(a), round(2.5 + 4 * math.sqrt(count / largest), 1), frame.y(c))
            for c, a, count in bins
        ],
        "; ".join(f"{100 * c:.0f} % sure, {100 * a:.0f} % right ({n:,})" for c, a, n in bins),
    )


def _line(name: str, points: Points, frame: Frame, percent: bool, dots: bool) -> Line:
    drawn = _thinned(points)
    first, last = (_number(p[1], percent) for p in (points[0], points[-1]))
    return Line(
        name,
        [(frame.x(a), frame.y(b)) for a, b in drawn],
        first if len(points) == 1 else f"{first} → {last}",
        dots and len(drawn) <= DOTTED,
    )


def _in_words(name: str, points: Points, percent: bool, alone: bool) -> str:
    first, last = (_number(p[1], percent) for p in (points[0], points[-1]))
    words = f"from {first} to {last}"
    if alone:
        at, best = max(points, key=lambda p: p[1])
        words += f", best {_number(best, percent)} at {_plain(at)}"
    return f"{name} {words}" if name else words


def _best(points: Points, frame: Frame) -> tuple[float, float, str]:
    at, best = max(points, key=lambda p: p[1])
    return frame.x(at), frame.y(best), _number(best, True)


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)]


def _thinned(points: Points) -> Points:
    """Every n-th point, and the last."""
    step = -(-len(points) // DRAWN)
    return [p for i, p in enumerate(points) if (len(points) - 1 - i) % step == 0]


def _number(number: float, percent: bool, digits: int = 1) -> str:
    return f"{100 * number:.{digits}f} %" if percent else _plain(number)


def _plain(number: float) -> str:
    whole = abs(number) >= 100 or float(number).is_integer()
    return f"{number:,.0f}" if whole else f"{number:.3g}"


def _shares(low: float, high: float) -> tuple[float, float]:
    """Even percentages around shares, so the middle is also an integer."""
    down = math.floor(low * 50) / 50
    up = max(math.ceil(high * 50) / 50, down + 0.04)
    return (min(down, 0.96), 1.0) if up > 1 >= high else (down, up)


def _rounds(low: float, high: float) -> tuple[float, float]:
    """Round numbers around a range, so the middle is also round."""
    least = max(high - low, 0.01 * max(abs(low), abs(high)), 1e-6) / 2
    power: float = 10.0 ** math.floor(math.log10(least))
    for times in (1, 2, 5, 10, 20, 50):
        step = times * power
        down = math.floor(low / step) * step
        if step >= least and down + 2 * step >= high - ROUNDING * step:
            break
    return down, down + 2 * step
