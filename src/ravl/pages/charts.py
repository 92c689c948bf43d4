"""The geometry of charts: numbers to places in an SVG, and words for who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 420, 200  # of a chart, in its own units: about pixels, on a phone
LEFT, RIGHT, TOP, BOTTOM = 52, 40, 24, 34  # its margins, for its words
SIDE = 260  # of the square chart of calibration
DOTTED = 40  # points of a line, at most, that are marked one by one
ROUNDING = 1e-9  # of numbers such as 15 * 0.02
DRAWN = 500  # points of a line, at most: more than a screen shows only make the page heavy


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart shows, and where.

    Args:
        across: the least and the most number from left to right.
        up: the least and the most from bottom to top.
        width: of the drawing with its margins.
        height: likewise.
    """

    across: tuple[float, float]
    up: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT

    def x(self, number: float) -> float:
        """Its place from the left."""
        least, most = self.across
        inside = self.width - LEFT - RIGHT
        return round(LEFT + (number - least) / ((most - least) or 1.0) * inside, 1)

    def y(self, number: float) -> float:
        """Its place from the top."""
        least, most = self.up
        inside = self.height - TOP - BOTTOM
        return round(self.height - BOTTOM - (number - least) / ((most - least) or 1.0) * inside, 1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, in the coordinates of its drawing.

    Args:
        name: in the legend.
        points: places.
        summary: its first and last number, in words.
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
        rules: height and words of each line across.
        ends: the first and the last number below.
        unit: of the numbers below.
        words: what it shows, for who cannot see it.
        best: place and words of a mark; None for none.
        dots: places of loose points.
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
        """Where the lines across end."""
        return self.frame.width - RIGHT

    @property
    def below(self) -> int:
        """Where the words below stand."""
        return self.frame.height - 12


def line_chart(
    series: Sequence[tuple[str, Points]], unit: str, percent: bool, loose: Points = ()
) -> Chart | None:
    """A chart of one or more lines; None if there is no point to draw.

    A single line of shares has its best point marked. Points that are not finite, such as the loss
    of a training that failed, are left out.

    Args:
        series: names and points, each from left to right.
        unit: of the numbers from left to right.
        percent: the numbers upwards are shares.
        loose: points that no line joins; only these are marked then.
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
        "; ".join(_told(name, points, percent, alone) for name, points in kept),
        _best(kept[0][1], frame) if alone else None,
        [(frame.x(a), frame.y(b)) for a, b in loose],
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """How sure answers are against how often they are right, as a drawing.

    Args:
        frame: of the drawing.
        dots: place, radius and height of the diagonal of each bin.
        words: what it shows, for who cannot see it.
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


def _told(name: str, points: Points, percent: bool, alone: bool) -> str:
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
    """Every so many of the points, and the last."""
    step = -(-len(points) // DRAWN)
    return [p for i, p in enumerate(points) if (len(points) - 1 - i) % step == 0]


def _number(number: float, percent: bool, digits: int = 1) -> str:
    return f"{100 * number:.{digits}f} %" if percent else _plain(number)


def _plain(number: float) -> str:
    whole = abs(number) >= 100 or float(number).is_integer()
    return f"{number:,.0f}" if whole else f"{number:.3g}"


def _shares(low: float, high: float) -> tuple[float, float]:
    """Even numbers of percent around shares, so that the middle is a whole one too."""
    down = math.floor(low * 50) / 50
    up = max(math.ceil(high * 50) / 50, down + 0.04)
    return (min(down, 0.96), 1.0) if up > 1 >= high else (down, up)


def _rounds(low: float, high: float) -> tuple[float, float]:
    """Round numbers around others, so that the middle is a round one too."""
    least = max(high - low, 0.01 * max(abs(low), abs(high)), 1e-6) / 2
    power: float = 10.0 ** math.floor(math.log10(least))
    for times in (1, 2, 5, 10, 20, 50):
        step = times * power
        down = math.floor(low / step) * step
        if step >= least and down + 2 * step >= high - ROUNDING * step:
            break
    return down, down + 2 * step
