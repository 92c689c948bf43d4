"""A memory of drawn pictures with faults in it, each known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ravl.data import Example
from ravl.memory import Memory
from tests.helpers import COLOURS, ColourEncoder
from tests.labelled import shades

FLIPPED = ("red_000.png", "green_001.png")
BLURRED = "blue_010.png"
MISTOLD = "yellow_011.png"  # its text is of something blue
POISON = "poison.png"


def spoiled(folder: Path) -> Memory:
    """60 shades of four colours, spoiled."""
    memory = Memory.create(folder / "spoiled.ravl", ColourEncoder())
    memory.add(shades(folder / "pictures", 60))
    for id in FLIPPED:
        memory.update(id, label="blue")
    memory.update(MISTOLD, texts=["a blue thing over there"])
    picture = memory.picture("green_013.png")
    memory.add(
        [
            Example(
                "again.png",
                encoded(picture.resize((40, 27))),
                label="green",
                tags=("again",),
                texts=("a green thing", "a green thing, smaller"),
            ),
            Example(BLURRED, encoded(memory.picture(BLURRED).filter(ImageFilter.GaussianBlur(5)))),
            Example("blank.png", encoded(Image.new("RGB", (48, 32), (90, 90, 90)))),
            Example(POISON, encoded(blend(memory)), label="blue"),
            Example("foreign.png", encoded(checked())),
        ],
        copy=True,
    )
    for name in ("gone.png", "cut.png"):
        drawn(folder / name, name)
        memory.add([Example(name, folder / name, label="yellow")])
    (folder / "gone.png").unlink()
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    return memory


def drawn(file: Path, name: str) -> None:
    """A yellow picture of its own."""
    random = np.random.default_rng(len(name))
    pixels = np.array(COLOURS["yellow"]) + random.normal(0, 12, (32, 48, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)


def blend(memory: Memory) -> Image.Image:
    """The mean of the red pictures: near to all of them."""
    rows = [row for row in memory.rows() if row.id.startswith("red")]
    mean = np.mean([np.asarray(memory.picture(row), np.float32) for row in rows], axis=0)
    return Image.fromarray(mean.astype(np.uint8))


def checked() -> Image.Image:
    """A chessboard of the encoder's grid: like nothing else."""
    squares = np.indices((4, 4)).sum(0) % 2 * 255
    return Image.fromarray(squares.astype(np.uint8)).resize((64, 64), 0).convert("RGB")


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
