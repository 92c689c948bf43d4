"""Random edits of a memory, one after another, for tests of what must follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ravl.data import QA, Example
from ravl.memory import Memory
from ravl.memory.editing import edit
from tests.helpers import COLOURS, ColourEncoder, draw

KIND, TASTE = "which kind is it?", "how does it taste?"


class Edits:
    """Edits of a memory, drawn by a seed.

    Args:
        memory: to edit.
        folder: for pictures.
        seed: of what is drawn.
    """

    def __init__(self, memory: Memory, folder: Path, seed: int) -> None:
        self.memory, self.folder = memory, folder
        self.random = np.random.default_rng(seed)
        self._count = 0
        folder.mkdir(exist_ok=True)

    def all(self, count: int) -> Iterator[str]:
        """So many edits; yields the name of each one that was done."""
        ways: list[Callable[[], object]] = [
            *(self.add, self.add, self.update, self.update, self.update),
            *(self.near_duplicate, self.text, self.replace, self.delete),
            *(self.throw, self.restore, self.revert, self.reembed),
        ]
        for _ in range(count):
            way = ways[self.random.integers(len(ways))]
            way()
            yield way.__name__

    def add(self, count: int = 3) -> None:
        """New rows, some of which say nothing."""
        self.memory.add([self._example() for _ in range(self.random.integers(1, count + 1))])

    def text(self) -> None:
        """A row without a picture, new or in place of the old one."""
        name = f"text {self.random.integers(2)}"
        self.memory.add([Example(name, texts=(f"{self._colour()} things are hot.\n" * 3,))])

    def update(self) -> None:
        """Other words for a row."""
        fields: dict[str, Any] = {
            "label": str(self.random.choice([*list(COLOURS)[:3], "novel", ""])),
            "texts": tuple(f"a {self._colour()} thing" for _ in range(self.random.integers(3))),
            "tags": tuple({self._colour() for _ in range(self.random.integers(3))}),
            "qa": self._qa(),
            "columns": {"generated_label": self._colour(), "words": f"a {self._colour()} word"},
        }
        name = str(self.random.choice(list(fields)))
        self.memory.update(self._any(), **{name: fields[name]})

    def near_duplicate(self) -> None:
        """A picture that another row has at twice its size."""
        row = self._pictured()
        self._count += 1
        path = self.folder / f"copy {self._count}.png"
        picture = self.memory.picture(row)
        picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC).save(path)
        self.memory.add([Example(path.name, path, label=self._colour())])

    def replace(self) -> None:
        """Another picture for a row."""
        self.memory.add([Example(self._pictured(), self._picture())])

    def delete(self) -> None:
        """A row less."""
        if len(self.memory) > 3:
            self.memory.delete(self._any())

    def throw(self) -> None:
        """A row goes into the trash."""
        if len(self.memory) > 3:
            edit(self.memory, "throw", trashed=[self._any()])

    def restore(self) -> None:
        """All that is in the trash comes back."""
        self.memory.restore()

    def revert(self) -> None:
        """An earlier version comes back, of which there is something."""
        newest = self.memory.version
        self.memory.revert(int(self.random.integers(max(1, newest - 2), newest + 1)))

    def reembed(self) -> None:
        """Another encoder of the same network."""
        self.memory.reembed(ColourEncoder(int(self.random.integers(4))), progress=False)

    def _example(self) -> Example:
        path, colour = self._picture(), self._colour()
        speaks = self.random.random(4) < 0.7
        return Example(
            path.name,
            path,
            texts=(f"a {colour} picture", "no other words") if speaks[0] else (),
            label=colour if speaks[1] else None,
            tags=(colour, "thing") if speaks[2] else (),
            qa=self._qa() if speaks[3] else (),
        )

    def _qa(self) -> tuple[QA, ...]:
        both = QA(KIND, (self._colour(), self._colour())), QA(TASTE, (self._colour(),))
        return both[: self.random.integers(3)]

    def _picture(self) -> Path:
        self._count += 1
        path = self.folder / f"{self._count}.png"
        draw(self._count, self._colour(), (48, 32)).save(path)
        return path

    def _colour(self) -> str:
        return str(self.random.choice(list(COLOURS)))

    def _any(self) -> str:
        return str(self.random.choice([row.id for row in self.memory.rows()]))

    def _pictured(self) -> str:
        return str(self.random.choice([row.id for row in self.memory.rows() if row.hash]))
