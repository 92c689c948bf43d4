"""The places of drawn scenes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from ravl.demo.pen import WHITE, Colour, Pen, shade

HORIZON = 0.6  # where the ground begins, as a share of the picture's height from above
SUN: Colour = (255, 220, 96)

Sky = tuple[Colour, Colour]
DAY: Sky = ((110, 178, 236), (212, 234, 250))
DUSK: Sky = ((112, 84, 152), (252, 176, 112))
NIGHT: Sky = ((14, 18, 48), (44, 54, 104))
WALL: Sky = ((238, 228, 214), (246, 240, 230))
DEPTH: Sky = ((74, 172, 214), (18, 74, 128))
PAPER: Sky = (WHITE, (250, 250, 252))


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a scene.

    Args:
        english: its text in a caption.
        chinese: the same.
        sky: colours at its top and bottom.
        ground: its colour; None if objects float in the air or in water.
    """

    english: str
    chinese: str
    sky: Sky
    ground: Colour | None = None


PLACES = {
    "meadow": Place("on a green meadow", "绿色的草地上", DAY, (126, 190, 90)),
    "snow": Place("in the snow", "雪地里", DAY, (236, 242, 249)),
    "field": Place("in a field at night", "夜晚的田野里", NIGHT, (44, 82, 70)),
    "beach": Place("on a sandy beach", "沙滩上", DAY, (236, 214, 164)),
    "sea": Place("on the blue sea", "蓝色的大海上", DAY, (48, 124, 184)),
    "sunset": Place("on the sea at sunset", "夕阳下的海面上", DUSK, (92, 74, 128)),
    "road": Place("on a grey road", "灰色的马路上", DAY, (128, 132, 138)),
    "table": Place("on a wooden table", "木桌上", WALL, (186, 132, 84)),
    "plain": Place("on a white background", "白色的背景上", PAPER, WHITE),
    "water": Place("under water", "水里", DEPTH),
    "sky": Place("in the blue sky", "蓝天上", DAY),
    "evening": Place("in the evening sky", "傍晚的天空中", DUSK),
    "night": Place("in the night sky", "夜空中", NIGHT),
}


def paint(name: str, size: tuple[int, int], random: Random) -> Image.Image:
    """An empty picture of a place.

    Args:
        name: in :data:`PLACES`.
        size: width and height in pixels.
        random: the random generator for clouds, stars and bubbles.
    """
    place = PLACES[name]
    picture = Image.new("RGB", size)
    _gradient(picture, 0, place.sky)
    draw = ImageDraw.Draw(picture)
    if place.sky == DAY:
        _disc(draw, size, (random.uniform(0.08, 0.92), 0.12), 0.06, SUN)
        _clouds(draw, size, random)
    elif place.sky == DUSK:
        _disc(draw, size, (random.uniform(0.2, 0.8), 0.5), 0.13, (255, 214, 120))
    elif place.sky in (NIGHT, DEPTH):
        _dots(draw, size, random, filled=place.sky == NIGHT)
    if place.ground is not None:
        _gradient(picture, HORIZON, (shade(place.ground, -0.1), shade(place.ground, 0.1)))
    _details(name, draw, size, random)
    return picture


def _details(name: str, draw: ImageDraw.ImageDraw, size: tuple[int, int], random: Random) -> None:
    """The texture of the ground."""
    width, height = size
    line, thin = HORIZON * height, max(1, height // 160)
    if name == "beach":
        draw.rectangle((0, line - height / 12, width, line), fill=(64, 150, 200))
    elif name == "road":
        draw.rectangle((0, line - height / 20, width, line), fill=(126, 180, 96))
        for x in (i * width / 6 for i in range(6)):
            draw.rectangle((x, height * 0.93, x + width / 11, height * 0.95), fill=WHITE)
    elif name == "table":
        for y in (0.7, 0.85):
            draw.line((0, y * height, width, y * height), (160, 108, 66), thin)
    elif name in ("sea", "sunset"):
        for _ in range(26):
            x, y = random.random() * width, random.uniform(HORIZON + 0.03, 1) * height
            draw.line((x, y, x + width / 14, y), shade(PLACES[name].sky[1], -0.2), thin)
    elif name == "meadow":
        for _ in range(90):
            x, y = random.random() * width, random.uniform(HORIZON + 0.03, 1) * height
            draw.line((x, y, x + 3, y - height / 50), (96, 164, 70), thin)
    elif name == "water":
        draw.rectangle((0, 0.9 * height, width, height), fill=(206, 190, 140))
        for x in (0.06, 0.13, 0.9):
            pen = Pen(draw, x * width, 0.93 * height, random.uniform(0.2, 0.4) * height)
            pen.line([(0, 0), (0.1, 0.35), (-0.08, 0.7), (0.04, 1)], 0.09, (60, 140, 92))


def _gradient(picture: Image.Image, start: float, colours: Sky) -> None:
    """Fill the picture from a share of its height down to its foot."""
    width, height = picture.size
    top = int(start * height)
    mask = Image.linear_gradient("L").resize((width, height - top))
    above, below = (Image.new("RGB", mask.size, colour) for colour in colours)
    picture.paste(Image.composite(below, above, mask), (0, top))


def _disc(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    at: tuple[float, float],
    r: float,
    colour: Colour,
) -> None:
    x, y, radius = at[0] * size[0], at[1] * size[1], r * size[1]
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _clouds(draw: ImageDraw.ImageDraw, size: tuple[int, int], random: Random) -> None:
    for _ in range(2):
        x, y = random.uniform(0.05, 0.95), random.uniform(0.1, 0.34)
        for dx, dy, r in ((-0.05, 0.01, 0.035), (0, -0.01, 0.05), (0.05, 0.01, 0.035)):
            _disc(draw, size, (x + dx, y + dy), r, (250, 252, 255))


def _dots(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], random: Random, *, filled: bool
) -> None:
    """Stars in a sky, or bubbles in water."""
    for _ in range(40 if filled else 14):
        x, y = random.random() * size[0], random.random() * size[1]
        r = size[1] * (random.uniform(0.002, 0.005) if filled else random.uniform(0.008, 0.02))
        box = (x - r, y - r, x + r, y + r)
        if filled:
            draw.ellipse(box, fill=(236, 238, 250))
        else:
            draw.ellipse(box, outline=(198, 230, 244), width=max(1, int(r / 4)))
