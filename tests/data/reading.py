"""What the tests of the readers share: tiny pictures, and reading a source to its end."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from ravl.data import Example, Rejected, read


def picture_bytes(colour: int = 0, format: str = "PNG") -> bytes:
    """A picture of 2 x 2 pixels; pictures of different colours have different bytes."""
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), (colour % 256, colour // 256, 7)).save(buffer, format)
    return buffer.getvalue()


def pictures(folder: Path, *names: str) -> Path:
    """The folder, with a picture under each of these names."""
    for colour, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(colour))
    return folder


def write(path: Path, text: str | bytes) -> Path:
    """The path of a file that holds this text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read_all(source: str | Path, **options: object) -> tuple[list[Example], list[Rejected]]:
    """All that a source yields, examples and what was set aside."""
    found = list(read(source, **options))  # type: ignore[arg-type]
    examples = [item for item in found if isinstance(item, Example)]
    return examples, [item for item in found if isinstance(item, Rejected)]


def read_good(source: str | Path, **options: object) -> list[Example]:
    """The examples of a source that sets nothing aside."""
    examples, rejected = read_all(source, **options)
    assert rejected == []
    return examples


def ids(examples: list[Example]) -> list[str]:
    """Their ids, in order."""
    return [example.id for example in examples]
