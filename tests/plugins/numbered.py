"""Pictures whose number shows: how bright they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ravl.data import Example


def numbered(folder: Path, count: int = 60) -> list[Example]:
    """Grey noise of a brightness each; the column ``number`` says which, from 10 to 100."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    examples = []
    for i in range(count):
        number = round(10 + 90 * float(random.random()), 2)
        noise = random.normal(255 * number / 110, 12, (4, 4, 3)).clip(0, 255)
        file = folder / f"{i:03d}.png"
        Image.fromarray(noise.astype(np.uint8)).resize((64, 64), 0).save(file)
        examples.append(Example(file.name, file, columns={"number": number}))
    return examples
