"""What is compared: pictures, each with what is asked about it where the task takes that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ravl.data import ColumnNames, Example, Rejected
from ravl.data.readers import read
from ravl.data.readers.columns import QUESTION, TEXTS
from ravl.data.readers.folder_files import SUFFIXES
from ravl.memory import Picture
from ravl.tasks import registry
from ravl.tasks.contract import Task
from ravl.tasks.model import Model

One = str | bytes | Path | Image.Image | Example
Source = Picture | str | Example  # a file, folder, table, picture, or picture with what is asked
COLUMNS = {"text": TEXTS[0], "question": QUESTION}  # of tables, by what comes with a picture


@dataclass(frozen=True, eq=False)
class Item:
    """One picture.

    Args:
        name: its file, its id, or its place in the list.
        picture: a path, bytes or PIL picture.
        asked: the text or question that comes with it; None where the task takes none.
    """

    name: str
    picture: Picture
    asked: str | None = None

    @property
    def parts(self) -> tuple[Picture] | tuple[Picture, str]:
        """What the model looks at."""
        return (self.picture,) if self.asked is None else (self.picture, self.asked)


def read_items(
    model: Model,
    sources: Sequence[Source],
    columns: ColumnNames | None,
    root: str | Path | None,
    rejected: list[Rejected],
) -> Iterator[Item]:
    """The pictures of files, folders, tables and examples.

    Of several texts or questions about a picture one is drawn: pictures are compared, and what is
    asked about the same one is no more independent than the same picture twice.

    Args:
        model: that will be asked.
        sources: of pictures, see :func:`ravl.drift.detect_drift`.
        columns, root: of tables.
        rejected: gets what cannot be asked about.
    """
    assert model.run is not None
    task = registry.of_run(model.run)
    random = np.random.default_rng(0)
    for example in _examples(sources, columns, root):
        if isinstance(example, Rejected):
            rejected.append(example)
        elif example.picture is None:  # a text of its own
            continue
        elif not task.beside:
            yield Item(example.id, example.picture)
        elif texts := task.asks(model.predictor, example):
            yield Item(example.id, example.picture, texts[int(random.integers(len(texts)))])
        else:
            rejected.append(Rejected(example.id, _lacks(task)))


def _lacks(task: Task) -> str:
    """Why a picture cannot be asked about."""
    return (
        f"{task.command} takes a {task.beside} with each picture, and this picture has no "
        f"{task.beside} that the run can read. Name a table with columns image and "
        f"{COLUMNS[task.beside]}"
    )


def _examples(
    sources: Sequence[Any], columns: ColumnNames | None, root: str | Path | None
) -> Iterator[Example | Rejected]:
    """What the sources say about their pictures."""
    for number, source in enumerate(sources, 1):
        if isinstance(source, Example):
            yield source
        elif not isinstance(source, str | Path):
            yield Example(f"picture {number}", source)
        elif Path(source).suffix.lower() in SUFFIXES:
            yield Example(str(source), Path(source))
        else:
            folder = Path(source).is_dir()
            yield from read(source) if folder else read(source, columns=columns, root=root)
