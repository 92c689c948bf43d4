"""Drawn dials that differ in small details: kinds that frozen features can hardly tell apart.

Every picture shows a round instrument with ticks, two hands and a small mark, in random colours,
size, place and light. Its kind is where the short hand points and whether the mark is a disc or a
square; everything else is chance. ImageNet's features see an instrument, whatever it shows.
"""

from __future__ import annotations

import json
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 224
DIRECTIONS = ("one", "three", "five", "seven", "nine", "eleven")  # o'clock, of the short hand
MARKS = ("disc", "square")
KINDS = [f"{direction} {mark}" for direction in DIRECTIONS for mark in MARKS]
WIDER = 2  # drawn larger, then reduced, for smooth edges


def draw(folder: Path, per_class: int, seed: int) -> list[str]:
    """Draw ``per_class`` dials of each of the twelve kinds as JPEGs.

    Args:
        folder: made if need be; gets ``0000.jpg`` and so on, and ``annotations.jsonl``.
        per_class: pictures of each kind.
        seed: of all that is chance.

    Returns:
        The label of each picture, in the order of their names; kinds alternate, so that any
        stretch of pictures has nearly as many of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = KINDS * per_class
    with (folder / "annotations.jsonl").open("w", encoding="utf-8") as file:
        for i, label in enumerate(labels):
            name = f"{i:04d}.jpg"
            dial(label, np.random.default_rng([seed, i])).save(folder / name, quality=90)
            file.write(json.dumps({"image": name, "label": label}) + "\n")
    return labels


def dial(kind: str, random: np.random.Generator) -> Image.Image:
    """One dial of that kind, (224, 224) RGB."""
    direction, mark = kind.split()
    paper, face, ink = _colours(random)
    side = SIDE * WIDER
    picture = Image.new("RGB", (side, side), paper)
    pen = ImageDraw.Draw(picture)
    radius = side * random.uniform(0.34, 0.44)
    x, y = (side / 2 + random.uniform(-1, 1) * (side * 0.47 - radius) for _ in range(2))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), face, ink, int(radius / 18))
    turn = random.uniform(-0.12, 0.12)  # radians: it never hangs quite straight
    for hour in range(12):
        _line(pen, (x, y), hour + turn, (0.82 * radius, 0.92 * radius), ink, radius / 40)
    hours = 2 * DIRECTIONS.index(direction) + 1
    _line(pen, (x, y), hours + turn, (0, 0.45 * radius), ink, radius / 14)
    _line(pen, (x, y), random.uniform(0, 12), (0, 0.75 * radius), ink, radius / 24)
    where, size = (random.uniform(0, 12) / 6 * pi, 0.6 * radius), radius / 11
    u, v = x + where[1] * sin(where[0]), y - where[1] * cos(where[0])
    shape = pen.ellipse if mark == "disc" else pen.rectangle
    shape((u - size, v - size, u + size, v + size), ink)
    small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return _photographed(small, random)


def _colours(random: np.random.Generator) -> list[tuple[int, int, int]]:
    """Of the paper, of a light or dark face, and of the ink, which stands out from the face."""
    dark = random.random() < 0.4
    light, deep = random.integers(190, 256, 3), random.integers(0, 70, 3)
    face, ink = (deep, light) if dark else (light, deep)
    paper = random.integers(60, 220, 3)
    return [(int(r), int(g), int(b)) for r, g, b in (paper, face, ink)]


def _line(
    pen: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    hour: float,
    reach: tuple[float, float],
    ink: tuple[int, int, int],
    width: float,
) -> None:
    """A stroke from ``reach[0]`` to ``reach[1]`` away from the centre, towards an hour."""
    angle = hour / 6 * pi
    ends = [(centre[0] + r * sin(angle), centre[1] - r * cos(angle)) for r in reach]
    pen.line(ends, ink, max(1, round(width)))


def _photographed(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Uneven light, a little blur and noise."""
    picture = picture.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 0.8))))
    slope = random.uniform(-0.2, 0.2, 2)
    v, u = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    light = 1 + slope[0] * u + slope[1] * v  # (224, 224)
    noise = random.normal(0, 4, (SIDE, SIDE, 3))
    pixels = np.asarray(picture, np.float64) * light[..., None] + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "RGB")
