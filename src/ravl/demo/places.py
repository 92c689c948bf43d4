"""The places that drawn scenes are set in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from ravl.demo.pen import WHITE, Colour, Pen, shade

GRASS: Colour = (126, 190, 90)
SAND: Colour = (236, 214, 164)
SNOW: Colour = (240, 245, 250)
SEA: Colour = (48, 124, 184)
DEEP: Colour = (18, 74, 128)
ROAD: Colour = (128, 132, 138)
PLANKS: Colour = (186, 132, 84)
HILL: Colour = (44, 82, 70)
DAY = (Colour((110, 178, 236)), Colour((212, 234, 250)))
DUSK = (Colour((112, 84, 152)), Colour((252, 176, 112)))
NIGHT = (Colour((14, 18, 48)), Colour((44, 54, 104)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene is set.

    Args:
        english: as it stands in a caption.
        chinese: the same.
        paint: draws it on an empty picture.
        floats: True where things hang in the air or water, False where they stand on a ground.
        ground: its colour, for the shadows.
    """

    english: str
    chinese: str
    paint: Callable[[Image.Image, Random], None]
    floats: bool = False
    ground: Colour = WHITE


def _outdoors(top: Colour, bottom: Colour, ground: Colour, horizon: float = 0.6) -> Callable[[Image.Image, Random], None]:
    def paint(picture: Image.Image, random: Random) -> None:
        _gradient(picture, 0, 1, top, bottom)
        if (top, bottom) == DAY:
            _sun(picture, random)
            _clouds(picture, random)
        elif (top, bottom) == NIGHT:
            _stars(picture, random)
        _gradient(picture, horizon, 1, shade(ground, -0.12), shade(ground, 0.08))

    return paint
