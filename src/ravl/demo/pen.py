"""Drawing in units of an object's height, so that one drawing serves every size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
INK: Colour = (52, 46, 56)
WOOD: Colour = (128, 86, 54)


def shade(colour: Colour, by: float) -> Colour:
    """A colour nearer to black (-1) or to white (1)."""
    end = 255 if by > 0 else 0
    red, green, blue = (round(part + (end - part) * abs(by)) for part in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws one object: x runs from its middle to the right, y from its foot (0) to its top (1).

    Args:
        draw: of the picture.
        x: of the object's middle in the picture, in pixels.
        y: of its foot.
        size: its height in pixels.
    """

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    size: float

    def at(self, point: Point) -> Point:
        """A point of the object in the picture's pixels."""
        return self.x + point[0] * self.size, self.y - point[1] * self.size

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([self.at(p) for p in points], fill=colour)

    def ellipse(self, centre: Point, rx: float, ry: float, colour: Colour) -> None:
        """A filled ellipse."""
        self.draw.ellipse(self._around(centre, rx, ry), fill=colour)

    def slice(
        self, centre: Point, rx: float, ry: float, start: float, end: float, colour: Colour
    ) -> None:
        """A filled part of an ellipse; angles in degrees, clockwise from the right."""
        self.draw.pieslice(self._around(centre, rx, ry), start, end, fill=colour)

    def arc(
        self,
        centre: Point,
        rx: float,
        ry: float,
        start: float,
        end: float,
        width: float,
        colour: Colour,
    ) -> None:
        """A part of an ellipse's edge; angles as for :meth:`slice`."""
        self.draw.arc(self._around(centre, rx, ry), start, end, colour, self._width(width))

    def box(self, low: Point, high: Point, colour: Colour, corner: float = 0.0) -> None:
        """A filled rectangle between its lower left and upper right corner, rounded if wanted."""
        (left, bottom), (right, top) = self.at(low), self.at(high)
        self.draw.rounded_rectangle((left, top, right, bottom), corner * self.size, fill=colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A line through points."""
        ends = [self.at(p) for p in points]
        self.draw.line(ends, fill=colour, width=self._width(width), joint="curve")

    def _around(self, centre: Point, rx: float, ry: float) -> tuple[float, float, float, float]:
        x, y = self.at(centre)
        return x - rx * self.size, y - ry * self.size, x + rx * self.size, y + ry * self.size

    def _width(self, width: float) -> int:
        return max(1, round(width * self.size))


def around(centre: Point, radius: float, count: int, turn: float = 0.0) -> list[Point]:
    """Points evenly spaced on a circle; the first one above the centre, unless turned."""
    angles = (pi / 2 + turn + 2 * pi * i / count for i in range(count))
    return [(centre[0] + radius * cos(a), centre[1] + radius * sin(a)) for a in angles]
