"""Pictures whose labels show in a narrow strip, and texts that name them: a match run helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ravl.data import Example
from ravl.memory import Memory
from ravl.tasks.fit import fit
from tests.helpers import COLOURS, ColourEncoder

PARTS = ("train", "train", "validation", "train", "test")
HELD: dict[str, Any] = {
    "validation": "part = 'validation'",
    "test": "part = 'test'",
    "model": "vote",
    "progress": False,
}


def strips(folder: Path, count: int) -> list[Example]:
    """Noise with a strip of the label's colour on top; every tenth picture has no text."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    examples = []
    for i in range(count):
        label = ("red", "green", "blue", "yellow")[random.integers(4)]
        pixels = random.integers(0, 256, (4, 4, 3))
        pixels[0] = 0.55 * np.array(COLOURS[label]) + 0.45 * pixels[0]
        file = folder / f"{i:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).resize((64, 64), 0).save(file)
        texts = (f"{label} above {i}",) if i % 10 else ()
        part = {"part": PARTS[i % 5]}
        examples.append(Example(file.name, picture=file, texts=texts, label=label, columns=part))
    return examples


def strips_memory(folder: Path, count: int = 80) -> Path:
    """A folder with ``strips.ravl`` and a match run of it."""
    with Memory.create(folder / "strips.ravl", ColourEncoder()) as memory:
        memory.add(strips(folder / "pictures", count))
        fit("match", memory, out=folder / "match", **HELD)
    return folder
