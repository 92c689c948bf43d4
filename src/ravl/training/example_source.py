"""Where the examples of a fit come from: the memory itself, or tables that become part of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.data import ColumnNames
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.training.examples import Examples, read_tables, remember
from ravl.training.splits import PARTS, Splits

if TYPE_CHECKING:
    from ravl.training.refit_plan import RefitPlan

Source = str | Path | None
SplitFn = Callable[[Examples, Memory, Collection[str]], Splits]
Told = tuple[Examples, Splits, Memory, list[str]]


@contextmanager
def told(
    task: str,
    memory: Memory,
    keep: bool,
    work: Path,
    read: Callable[[Memory], Examples],
    divide: SplitFn,
    check: Callable[[Examples, Splits], None],
    *,
    data: Source = None,
    validation: Source = None,
    test: Source = None,
    columns: ColumnNames | None = None,
    progress: bool | None = None,
    root: Source = None,
    again: RefitPlan | None = None,
) -> Iterator[Told]:
    """Examples, their parts, the memory that holds them, and notes; open while pictures are read.

    Args:
        task: for the memory's history.
        memory: that is the evidence.
        keep: bring the training part of a table into the memory.
        work: for the scratch memory of tables.
        read: takes the examples out of a memory; raises DataError where there are too few.
        divide: makes parts of them; the names of parts that are tables are given.
        check: refuses what cannot be learned from, before anything is written.
        data, validation, test, columns, progress, root: see :func:`ravl.tasks.fit.fit`.
        again: the examples of a refit, instead of all these.
    """
    if again is not None:
        check(again.labelled, again.parts)
        notes = notes_of(again.labelled, again.parts)
        yield again.labelled, again.parts, again.labelled.source, notes
        return
    with ExitStack() as stack:
        source, tables = memory, tables_of(data, validation, test)
        if tables:
            source = stack.enter_context(read_tables(memory, tables, work, columns, progress, root))
        labelled = read(source)
        chosen = divide(labelled, source, tables)
        notes = notes_of(labelled, chosen)
        check(labelled, chosen)
        if tables and keep:
            count = remember(memory, labelled.take(chosen.train), f"fit {task}: what {data} says")
            if count:
                notes.append(f"{count:,} rows of the memory are new or changed by the table.")
            labelled = read(source)  # now that it shows them
        yield labelled, chosen, source, notes


def tables_of(data: Source, validation: Source, test: Source) -> dict[str, str | Path]:
    """The sources that are tables or folders, by part; filters are left out."""
    found: dict[str, str | Path] = {}
    for part, source in zip(PARTS, (data, validation, test), strict=True):
        if source is None or (part != "train" and filter_of(source) is not None):
            continue
        found[part] = source
    if found and "train" not in found:
        raise DataError(
            f"The {'and '.join(found)} part is a table, but the training pictures are not named. "
            "Name their table with --data."
        )
    return found


def filter_of(source: Source) -> str | None:
    """A part that is named by a filter, not by a table or a folder."""
    if source is None or isinstance(source, Path) or os.path.exists(source):  # noqa: PTH110
        return None  # Path.exists raises where a long filter is no file name
    if Path(source).suffix.lower() in (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"):
        raise DataError(f"There is no file {source}.")
    return source


def notes_of(labelled: Examples, chosen: Splits) -> list[str]:
    """What was left out or could not be read, in sentences."""
    notes = []
    if len(chosen.left_out):
        notes.append(
            f"{len(chosen.left_out):,} pictures are left out of training, since they are "
            "near-duplicates of held-out ones."
        )
    if labelled.rejected:
        first = labelled.rejected[0]
        notes.append(f"{len(labelled.rejected):,} pictures could not be read, such as {first}")
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
        tempfile.TemporaryDirectory(prefix="ravl-") as folder,
        read_tables(memory, {"test": data}, Path(folder), columns, progress, root) as scratch,
    ):
        yield scratch, None
