"""The objects of drawn scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ravl.demo.pen import INK, WHITE, WOOD, Colour, Pen, around, shade

GLASS: Colour = (196, 228, 245)
LEAF: Colour = (74, 148, 66)
SUNNY: Colour = (250, 200, 50)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object.

    Args:
        name: in English.
        plural: in English.
        chinese: with its measure word in front of it, separated by a space.
        width: its width, in its heights.
        size: its height in a picture, as a share of the picture's.
        places: where it may be.
        colours: it may have, by name.
        draw: with a pen, in a colour.
    """

    name: str
    plural: str
    chinese: str
    width: float
    size: float
    places: tuple[str, ...]
    colours: tuple[str, ...]
    draw: Callable[[Pen, Colour], None]


def _house(pen: Pen, colour: Colour) -> None:
    pen.box((0.2, 0.6), (0.33, 0.97), shade(colour, -0.45))
    pen.box((-0.45, 0), (0.45, 0.58), colour)
    pen.polygon([(-0.58, 0.55), (0, 1), (0.58, 0.55)], shade(colour, -0.35))
    pen.box((-0.09, 0), (0.11, 0.33), WOOD)
    pen.ellipse((0.07, 0.16), 0.015, 0.015, SUNNY)
    for x in (-0.35, 0.2):
        pen.box((x, 0.24), (x + 0.17, 0.43), WHITE)
        pen.box((x + 0.015, 0.255), (x + 0.155, 0.415), GLASS)
        pen.line([(x + 0.085, 0.25), (x + 0.085, 0.42)], 0.015, WHITE)


def _tree(pen: Pen, colour: Colour) -> None:
    pen.polygon([(-0.1, 0), (0.1, 0), (0.05, 0.5), (-0.05, 0.5)], WOOD)
    dark, light = shade(colour, -0.18), shade(colour, 0.18)
    for x, y, r in ((-0.22, 0.52, 0.2), (0.22, 0.52, 0.2), (0, 0.5, 0.22)):
        pen.ellipse((x, y), r, r, dark)
    for x, y, r in ((-0.13, 0.68, 0.21), (0.14, 0.66, 0.21), (0, 0.79, 0.2)):
        pen.ellipse((x, y), r, r, colour)
    for x, y, r in ((-0.1, 0.8, 0.09), (0.08, 0.7, 0.07), (-0.2, 0.62, 0.06)):
        pen.ellipse((x, y), r, r, light)


def _boat(pen: Pen, colour: Colour) -> None:
    pen.box((-0.015, 0.15), (0.015, 1), WOOD)
    pen.polygon([(0.04, 0.3), (0.04, 0.97), (0.47, 0.3)], colour)
    pen.polygon([(-0.04, 0.3), (-0.04, 0.84), (-0.36, 0.3)], shade(colour, 0.3))
    pen.polygon([(-0.5, 0.24), (0.55, 0.24), (0.38, 0), (-0.36, 0)], shade(colour, -0.4))
    pen.polygon([(-0.5, 0.24), (0.55, 0.24), (0.53, 0.19), (-0.47, 0.19)], WHITE)


def _car(pen: Pen, colour: Colour) -> None:
    cabin = [(-0.62, 0.55), (-0.38, 0.98), (0.3, 0.98), (0.62, 0.55)]
    pen.polygon(cabin, colour)
    pen.polygon([(-0.5, 0.57), (-0.33, 0.9), (-0.05, 0.9), (-0.05, 0.57)], GLASS)
    pen.polygon([(0.03, 0.57), (0.03, 0.9), (0.26, 0.9), (0.5, 0.57)], GLASS)
    pen.box((-1, 0.16), (1, 0.6), colour, 0.16)
    pen.box((-1, 0.16), (1, 0.28), shade(colour, -0.3), 0.06)
    pen.line([(-0.01, 0.28), (-0.01, 0.56)], 0.015, shade(colour, -0.35))
    pen.box((0.06, 0.45), (0.2, 0.48), shade(colour, -0.5))
    pen.ellipse((0.92, 0.44), 0.06, 0.07, SUNNY)
    for x in (-0.55, 0.55):
        pen.ellipse((x, 0.2), 0.22, 0.22, INK)
        pen.ellipse((x, 0.2), 0.11, 0.11, (205, 208, 214))


def _fish(pen: Pen, colour: Colour) -> None:
    dark = shade(colour, -0.25)
    pen.polygon([(-0.5, 0.5), (-1.05, 0.95), (-0.95, 0.5), (-1.05, 0.05)], dark)
    pen.polygon([(-0.2, 0.85), (0.05, 1.08), (0.3, 0.85)], dark)
    pen.ellipse((0.05, 0.5), 0.72, 0.42, colour)
    pen.slice((0.05, 0.5), 0.72, 0.42, 20, 160, shade(colour, 0.25))
    for x in (-0.3, -0.05):
        pen.arc((x - 0.12, 0.5), 0.2, 0.3, -60, 60, 0.05, WHITE)
    pen.polygon([(0.1, 0.42), (-0.2, 0.2), (-0.12, 0.48)], dark)
    pen.ellipse((0.48, 0.6), 0.09, 0.09, WHITE)
    pen.ellipse((0.51, 0.6), 0.045, 0.045, INK)
    pen.arc((0.66, 0.44), 0.1, 0.08, 60, 180, 0.03, INK)


def _flower(pen: Pen, colour: Colour) -> None:
    pen.line([(0, 0), (0.02, 0.35), (0, 0.7)], 0.05, LEAF)
    pen.slice((0.15, 0.2), 0.16, 0.1, 120, 330, shade(LEAF, 0.1))
    pen.slice((-0.15, 0.28), 0.16, 0.1, 210, 420, shade(LEAF, -0.1))
    for x, y in around((0, 0.72), 0.18, 8):
        pen.ellipse((x, y), 0.11, 0.11, shade(colour, -0.12))
    for x, y in around((0, 0.72), 0.15, 8):
        pen.ellipse((x, y), 0.085, 0.085, shade(colour, 0.12))
    pen.ellipse((0, 0.72), 0.11, 0.11, SUNNY if colour != COLOURS["yellow"][0] else WOOD)


def _ball(pen: Pen, colour: Colour) -> None:
    pen.ellipse((0, 0.5), 0.5, 0.5, colour)
    for start in (20, 140, 260):
        pen.slice((0, 0.5), 0.5, 0.5, start, start + 60, WHITE)
    pen.arc((0, 0.5), 0.5, 0.5, 0, 360, 0.035, shade(colour, -0.3))
    pen.ellipse((0, 0.5), 0.09, 0.09, shade(colour, -0.2))
    pen.ellipse((-0.2, 0.74), 0.09, 0.06, shade(colour, 0.75))


def _star(pen: Pen, colour: Colour) -> None:
    outer, inner = around((0, 0.47), 0.53, 5), around((0, 0.47), 0.22, 5, 0.6283)
    pen.polygon([p for pair in zip(outer, inner, strict=True) for p in pair], colour)
    for i in range(5):
        pen.polygon([(0, 0.47), outer[i], inner[i]], shade(colour, 0.35))


def _cup(pen: Pen, colour: Colour) -> None:
    pen.arc((0.45, 0.36), 0.22, 0.22, -100, 100, 0.08, shade(colour, -0.15))
    pen.polygon([(-0.48, 0.66), (0.48, 0.66), (0.36, 0.06), (-0.36, 0.06)], colour)
    pen.ellipse((0, 0.06), 0.36, 0.06, colour)
    pen.polygon([(-0.4, 0.62), (-0.25, 0.62), (-0.2, 0.08), (-0.3, 0.08)], shade(colour, 0.35))
    pen.ellipse((0, 0.66), 0.48, 0.11, shade(colour, 0.3))
    pen.ellipse((0, 0.655), 0.42, 0.08, (92, 58, 38))
    for x in (-0.15, 0.12):
        pen.line([(x, 0.78), (x + 0.05, 0.86), (x, 0.93), (x + 0.05, 1)], 0.03, (226, 228, 232))


def _balloon(pen: Pen, colour: Colour) -> None:
    pen.polygon([(-0.36, 0.55), (0.36, 0.55), (0.09, 0.2), (-0.09, 0.2)], shade(colour, -0.2))
    pen.ellipse((0, 0.64), 0.4, 0.37, colour)
    pen.ellipse((0, 0.64), 0.26, 0.37, WHITE)
    pen.ellipse((0, 0.64), 0.12, 0.37, colour)
    pen.polygon([(-0.05, 0.5), (0.05, 0.5), (0.03, 0.2), (-0.03, 0.2)], colour)
    for x in (-0.08, 0.08):
        pen.line([(x, 0.21), (x * 0.9, 0.12)], 0.012, WOOD)
    pen.box((-0.1, 0), (0.1, 0.13), WOOD, 0.02)
    pen.line([(-0.1, 0.09), (0.1, 0.09)], 0.015, shade(WOOD, 0.4))


def _umbrella(pen: Pen, colour: Colour) -> None:
    pen.line([(0, 0.1), (0, 0.98)], 0.03, WOOD)
    pen.arc((0.07, 0.1), 0.085, 0.1, 0, 180, 0.03, WOOD)
    pen.slice((0, 0.52), 0.58, 0.44, 180, 360, colour)
    pen.slice((0, 0.52), 0.22, 0.44, 180, 360, shade(colour, 0.25))
    pen.line([(0, 0.95), (0, 1)], 0.03, INK)


def _mushroom(pen: Pen, colour: Colour) -> None:
    pen.polygon([(-0.14, 0.5), (0.14, 0.5), (0.2, 0.03), (-0.2, 0.03)], (243, 234, 215))
    pen.ellipse((0, 0.05), 0.2, 0.05, (230, 219, 198))
    pen.slice((0, 0.48), 0.52, 0.5, 180, 360, colour)
    pen.slice((0, 0.48), 0.52, 0.1, 0, 180, shade(colour, -0.25))
    for x, y, r in ((-0.26, 0.62, 0.07), (0, 0.8, 0.08), (0.25, 0.64, 0.06), (0.02, 0.57, 0.05)):
        pen.ellipse((x, y), r, r * 0.9, WHITE)


def _apple(pen: Pen, colour: Colour) -> None:
    pen.line([(0, 0.75), (0.05, 0.98)], 0.05, WOOD)
    for x in (-0.17, 0.17):
        pen.ellipse((x, 0.42), 0.32, 0.41, colour)
    pen.ellipse((-0.26, 0.56), 0.08, 0.13, shade(colour, 0.55))
    pen.slice((0.2, 0.92), 0.2, 0.12, 150, 390, LEAF)


def _butterfly(pen: Pen, colour: Colour) -> None:
    for side in (-1, 1):
        for x, y, r in ((0.32, 0.68, 0.3), (0.25, 0.27, 0.22)):
            pen.ellipse((side * x, y), r, r, shade(colour, -0.4))
            pen.ellipse((side * x, y), r * 0.84, r * 0.84, colour)
            pen.ellipse((side * (x + 0.06), y + 0.03), r * 0.36, r * 0.36, shade(colour, 0.6))
        pen.line([(0, 0.85), (side * 0.08, 0.97), (side * 0.16, 1)], 0.02, INK)
    pen.ellipse((0, 0.48), 0.05, 0.36, INK)
    pen.ellipse((0, 0.84), 0.07, 0.07, INK)


COLOURS: dict[str, tuple[Colour, str]] = {
    "red": ((214, 48, 49), "红色"),
    "orange": ((240, 134, 32), "橙色"),
    "yellow": ((244, 200, 40), "黄色"),
    "green": ((62, 150, 70), "绿色"),
    "blue": ((42, 104, 196), "蓝色"),
    "purple": ((134, 72, 172), "紫色"),
    "pink": ((238, 120, 168), "粉色"),
}
ALL = tuple(COLOURS)
BRIGHT = ("red", "orange", "yellow", "purple", "pink")

KINDS = (
    Kind("house", "houses", "座 房子", 1.2, 0.52, ("meadow", "snow", "field"), ALL, _house),
    Kind(
        "tree",
        "trees",
        "棵 树",
        0.9,
        0.6,
        ("meadow", "snow", "field"),
        ("green", "orange", "yellow", "pink"),
        _tree,
    ),
    Kind("sailing boat", "sailing boats", "艘 帆船", 1.1, 0.55, ("sea", "sunset"), ALL, _boat),
    Kind("car", "cars", "辆 汽车", 2.0, 0.3, ("road", "snow", "beach"), ALL, _car),
    Kind("fish", "fish", "条 鱼", 2.0, 0.26, ("water",), BRIGHT, _fish),
    Kind("flower", "flowers", "朵 花", 0.6, 0.56, ("meadow", "plain"), BRIGHT, _flower),
    Kind(
        "beach ball",
        "beach balls",
        "个 沙滩球",
        1.0,
        0.36,
        ("beach", "meadow", "plain"),
        ALL,
        _ball,
    ),
    Kind(
        "star",
        "stars",
        "颗 星星",
        1.1,
        0.4,
        ("night", "plain"),
        ("yellow", "orange", "pink", "red", "purple"),
        _star,
    ),
    Kind("cup", "cups", "个 杯子", 1.2, 0.46, ("table", "plain"), ALL, _cup),
    Kind(
        "hot-air balloon",
        "hot-air balloons",
        "个 热气球",
        0.8,
        0.6,
        ("sky", "evening"),
        ALL,
        _balloon,
    ),
    Kind("umbrella", "umbrellas", "把 伞", 1.2, 0.5, ("beach", "plain", "meadow"), ALL, _umbrella),
    Kind(
        "mushroom",
        "mushrooms",
        "个 蘑菇",
        1.0,
        0.44,
        ("meadow", "plain", "field"),
        ("red", "orange", "purple", "yellow"),
        _mushroom,
    ),
    Kind(
        "apple",
        "apples",
        "个 苹果",
        0.95,
        0.4,
        ("table", "plain"),
        ("red", "green", "yellow"),
        _apple,
    ),
    Kind(
        "butterfly", "butterflies", "只 蝴蝶", 1.2, 0.4, ("sky", "meadow", "plain"), ALL, _butterfly
    ),
)
"""All kinds there are."""
