"""Pictures of one colour with texts that name it: easy to describe, with neighbours and without."""

from __future__ import annotations

from pathlib import Path

from ravl.data import Example
from tests.helpers import COLOURS, draw

PARTS = ("train", "train", "train", "validation", "test")


def coloured(folder: Path, count: int = 120, first: int = 0) -> list[Example]:
    """So many pictures, two texts each; a column has the same as code."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(COLOURS)
    examples = []
    for i in range(first, first + count):
        colour = names[i % len(names)]
        file = folder / f"{i:03d}.png"
        draw(i, colour).save(file)
        texts = (f"{colour} and {names[i // 8 % 8]} below number {i % 7}", f"{colour} below number")
        columns = {"part": PARTS[i // 8 % 5], "code": f'{{"colour": "{colour}"}}'}
        examples.append(Example(file.name, file, texts=texts, columns=columns))
    return examples
