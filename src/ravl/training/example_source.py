"""Where the examples of a fit come from: the memory itself, or tables that become part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ravl.data import ColumnNames
from ravl.errors import DataError
from ravl.files.scratch import scratch_folder
from ravl.memory import Memory
from ravl.training.examples import Examples, read_tables
from ravl.training.splits import SPLIT_NAMES, Splits

Source = str | Path | None


def tables_of(data: Source, validation: Source, test: Source) -> dict[str, str | Path]:
    """The sources that are tables or folders, by split; filters are left out."""
    found: dict[str, str | Path] = {}
    for split, source in zip(SPLIT_NAMES, (data, validation, test), strict=True):
        if source is None or (split != "train" and filter_of(source) is not None):
            continue
        found[split] = source
    if found and "train" not in found:
        raise DataError(
            f"The {'and '.join(found)} split is a table, but the training pictures are not named. "
            "Name their table with --data."
        )
    return found


def filter_of(source: Source) -> str | None:
    """A split that is named by a filter, not by a table or a folder."""
    if source is None or isinstance(source, Path) or os.path.exists(source):  # noqa: PTH110
        return None  # Path.exists raises where a long filter is no file name
    if Path(source).suffix.lower() in (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"):
        raise DataError(f"There is no file {source}.")
    return source


def notes_of(examples: Examples, chosen: Splits) -> list[str]:
    """What was left out or could not be read, in sentences."""
    notes = []
    if len(chosen.left_out):
        notes.append(
            f"{len(chosen.left_out):,} pictures are left out of training, since they are "
            "near-duplicates of held-out ones."
        )
    if examples.rejected:
        first = examples.rejected[0]
        notes.append(f"{len(examples.rejected):,} pictures could not be read, such as {first}")
    return notes


@contextmanager
def judged(
    memory: Memory,
    data: str | Path,
    columns: ColumnNames | None,
    progress: bool | None,
    root: Source,
) -> Iterator[tuple[Memory, str | None]]:
    """What an evaluation is on: a memory, and a filter for its rows; open while pictures are read.

    Args:
        memory: that answers.
        data: a filter that names rows of it, or a table or folder, which is read aside.
        columns, progress, root: see :func:`ravl.tasks.fit.fit`.
    """
    where = filter_of(data)
    if where is not None:
        yield memory, where
        return
    with (
        scratch_folder() as folder,
        read_tables(memory, {"test": data}, folder, columns, progress, root) as scratch,
    ):
        yield scratch, None
