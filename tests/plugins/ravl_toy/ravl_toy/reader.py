"""A reader of colour lists: a file ``.colours`` with a name and a text on each line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ravl.data import Example
from ravl.data.example import Rejected
from ravl.data.readers import ReadOptions, Source

SUFFIX = ".colours"


class ToyReader:
    """What the entry point names."""

    def accepts(self, source: str | Path) -> bool:
        """A file with the suffix ``.colours``."""
        return Path(source).suffix == SUFFIX and Path(source).is_file()

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """Its lines."""
        options.allow_only("a list of colours", "encoding")
        return ToySource(Path(source), options.encoding or "utf-8")


class ToySource:
    """The lines of a file, each ``colour<TAB>text``, as pictures of one colour."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.name = str(path)
        self.total: int | None = None
        self._path, self._encoding = path, encoding

    def __iter__(self) -> Iterator[Example | Rejected]:
        lines = self._path.read_text(self._encoding).splitlines()
        self.total = len(lines)
        for number, line in enumerate(lines, 1):
            place = f"{self._path.name}, line {number}"
            colour, tab, text = line.partition("\t")
            try:
                picture = Image.new("RGB", (8, 8), colour)
            except ValueError:
                yield Rejected(place, f"{colour!r} is not a colour.")
                continue
            file = io.BytesIO()
            picture.save(file, "PNG")
            texts = (text,) if tab else ()
            yield Example(f"{colour}-{number}", file.getvalue(), texts, source=place)
