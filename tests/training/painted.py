"""A memory that can be learned, and a fit of it as a process of its own, to be killed at it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ravl.data import Example
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.tasks.fit import fit
from ravl.tasks.search.results import RetrieverReport
from tests.helpers import COLOURS, ColourEncoder, draw
from tests.training.stopping import wait_at

FEATURES = 48
TEST, VALIDATION = "part = 'test'", "part = 'validation'"
STEPS = 4  # of an epoch, with these settings and 26 training pictures
SETTINGS: dict[str, Any] = {
    "epochs": 8,
    "batch_size": 16,
    "dimension": 16,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "patience": 8,
    "hidden": 0,
}


class Scrambled(ColourEncoder):
    """Reads colours as a ColourEncoder, but its texts are turned away from its pictures."""

    spec = "scrambled"

    def embed_texts(self, texts: Sequence[str]) -> Array:
        turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(FEATURES, FEATURES)))
        return normalise(super().embed_texts(texts) @ turn)


def paint(folder: Path, count: int = 64, first: int = 0) -> list[Example]:
    """Pictures of two colours, with two texts each that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(first)
    examples = []
    for i in range(first, first + count):
        upper, lower = random.choice(list(COLOURS), 2, replace=False)
        picture = draw(i, upper)
        picture.paste(Image.new("RGB", (64, 20), COLOURS[lower]), (0, 28))
        picture.save(folder / f"{i:03d}.png")
        examples.append(
            Example(
                id=f"{i:03d}.png",
                picture=folder / f"{i:03d}.png",
                texts=(f"{upper} and {lower} number {i}", f"{lower} below {upper} number {i}"),
                label=str(upper),
                columns={"part": ("test", "train", "validation", "train", "test")[i % 5]},
            )
        )
    return examples


def unlike(examples: Sequence[Example]) -> list[Example]:
    """The same, but every third has no caption, so that its text is made of its label."""
    return [replace(e, texts=()) if i % 3 == 0 else e for i, e in enumerate(examples)]


def fitted(memory: Memory, out: Path, **changes: Any) -> RetrieverReport:
    """A quick fit on painted pictures."""
    options = {"validation": VALIDATION, "test": TEST, **SETTINGS, **changes}
    report = fit("search", memory, out=out, progress=False, **options)
    assert isinstance(report, RetrieverReport)
    return report


if __name__ == "__main__":
    file, out, changes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    if len(sys.argv) > 4:
        wait_at(int(sys.argv[4]))
    with Memory.open(file, Scrambled()) as memory:
        print("ready", flush=True)
        fitted(memory, out, **changes)
    print("done", flush=True)
