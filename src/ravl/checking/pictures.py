"""Pictures that cannot be decoded, are blank, or blurred: the checks that open every file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ravl.checking.check_data import certainty, excess
from ravl.checking.issue import Issue, Kind, ranked
from ravl.data import pictures
from ravl.encoders.base import Array
from ravl.errors import PictureError
from ravl.memory import Memory, Row
from ravl.progress import progress_bar
from ravl.threads import cores

SIDE = 192  # longer side of the picture for the measurement, in pixels
FLAT = 4.0  # maximal spread of a blank picture's brightness, of 255: a little noise
BLURRED = 3.0  # spreads below the usual value of the memory
SOFT = 4.0  # minimum factor below the usual value: the spread is tiny if all are equally sharp
AHEAD = 64  # pictures in progress


@dataclass(frozen=True, slots=True)
class Look:
    """Measurements of a picture.

    Args:
        spread: standard deviation of its brightness, 0 to 127.
        sharpness: variance of its Laplacian, divided by the variance of its brightness.
        broken: why the picture cannot be read, as a sentence; empty if it can be read.
        gone: True if this is permanent: the file is missing, or cannot be decoded.
    """

    spread: float = 0.0
    sharpness: float = 0.0
    broken: str = ""
    gone: bool = False


def look(memory: Memory, row: Row) -> Look:
    """Open a row's picture and measure it."""
    try:
        return measured(memory.picture(row, hint=SIDE))
    except PictureError as error:
        why, there = str(error), row.path is not None and row.path.exists()
        if row.path is None or not there:
            return Look(broken=why, gone=True)
        try:  # the picture has been replaced since indexing, or the file is damaged
            pictures.decode(row.path)
        except PictureError as damage:
            return Look(broken=str(damage), gone=True)
        return Look(broken=why)


def measured(picture: Image.Image) -> Look:
    """Spread and sharpness of a picture; it is scaled down, but never up."""
    scale = min(1.0, SIDE / max(picture.size))
    size = max(3, round(picture.width * scale)), max(3, round(picture.height * scale))
    grey = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX), np.float32)
    spread = float(grey.std())
    edges = laplacian(grey)
    return Look(spread, float(edges.var()) / max(spread**2, 1.0))


def laplacian(grey: Array) -> Array:
    """The Laplacian of each inner pixel, (h, w) -> (h - 2, w - 2)."""
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    found: Array = around - 4 * grey[1:-1, 1:-1]
    return found


def looks(memory: Memory, rows: Sequence[Row], progress: bool | None = None) -> Iterator[Look]:
    """Measurements of each picture, in order; several are opened at a time."""
    with (
        ThreadPoolExecutor(cores()) as pool,
        progress_bar("Looking", "pictures", progress) as advance,
    ):
        for start in range(0, len(rows), AHEAD):
            some = rows[start : start + AHEAD]
            yield from pool.map(lambda row: look(memory, row), some)
            advance(len(some), len(rows))


def flaws(
    memory: Memory, rows: Sequence[Row], kinds: Sequence[Kind], progress: bool | None = None
) -> list[Issue]:
    """Broken, blank and blurred pictures, the highest score of each kind first.

    A picture is blurred if its sharpness is far below the usual value of this memory: drawings have
    other edges than photographs.
    """
    seen = list(looks(memory, rows, progress))
    sound = [not one.broken and one.spread > FLAT for one in seen]
    sharp = np.log(np.array([max(one.sharpness, 1e-6) for one in seen], np.float32))
    below = np.zeros(len(seen), np.float32)
    if any(sound):
        below[sound] = excess(-sharp[sound])
        usual = float(np.exp(np.median(sharp[sound])))
    found: list[Issue] = []
    for row, one, soft in zip(rows, seen, below.tolist(), strict=True):
        ids = (row.id,)
        if one.broken:
            found.append(Issue("broken", ids, 1.0, one.broken, "drop" if one.gone else None))
        elif one.spread <= FLAT:
            why = f"It has one colour: its brightness varies by {one.spread:.1f} of 255."
            found.append(Issue("blank", ids, 1 - one.spread / 10 / FLAT, why, "drop"))
        elif soft > BLURRED and usual > SOFT * one.sharpness:
            why = (
                f"The variance of its Laplacian is {usual / max(one.sharpness, 1e-6):,.0f} times "
                "smaller than usual in this memory."
            )
            found.append(Issue("blurred", ids, certainty(soft, BLURRED), why, "drop"))
    return ranked([one for one in found if one.kind in kinds])
