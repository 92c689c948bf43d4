"""Labelled pictures for a fit: where they come from, and which the memory shows already.

A table of labels is first read into a *scratch memory* in the run's folder, with the memory's own
encoder: so bad pictures are set aside, an interrupted run goes on, filters work, near-duplicates
are found, and no picture is encoded a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ravl.data import ColumnNames, Rejected
from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.memory.rebasing import rebase
from ravl.retrieval.datastore import Ints
from ravl.store.duplicates import groups_like, mark_duplicates
from ravl.store.row import Computed, user_fields


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures that say something for the task.

    Args:
        rows: n of them.
        features: of the frozen tower, (n, F).
        groups: equal for near-duplicates among them, (n,).
        shown: for each the groups of the memory's rows that show the same picture.
        source: the memory that holds them.
        rejected: what could not be read, and why.
    """

    rows: list[Row]
    features: Array
    groups: Ints
    shown: list[Ints]
    source: Memory
    rejected: list[Rejected]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Ints) -> Examples:
        """Some of them."""
        return replace(
            self,
            rows=[self.rows[i] for i in chosen],
            features=self.features[chosen],
            groups=self.groups[chosen],
            shown=[self.shown[i] for i in chosen],
        )

    def seen_groups(self) -> Ints:
        """All groups of the memory that show any of them."""
        return np.unique(np.concatenate([np.zeros(0, np.int64), *self.shown]))


def one_of_each_picture(rows: Sequence[Row], random: np.random.Generator) -> Ints:
    """Positions of one example of each picture, drawn; ascending.

    Args:
        rows: of n examples; those of one picture have the same number.
        random: draws.
    """
    order = random.permutation(len(rows))
    numbers = np.array([row.number for row in rows], np.int64)
    _, first = np.unique(numbers[order], return_index=True)
    return np.sort(order[first])


def read_tables(
    memory: Memory,
    tables: dict[str, str | Path],
    folder: Path,
    columns: ColumnNames | None,
    progress: bool | None,
    root: str | Path | None = None,
) -> Memory:
    """A scratch memory of some tables' pictures; ids begin with the table's split and a slash.

    Args:
        memory: whose encoder looks at what it has not looked at already.
        tables: source of each split, by the split's name.
        folder: for the scratch memory's file; what an interrupted run left there is used.
        columns: what the tables' columns are called.
        progress: show bars; None shows them on a terminal.
        root: the folder that the tables' paths are relative to and may not leave; None for each
            table's own.

    Raises:
        DataError: a source cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.ravl"
    scratch = Memory.open_or_create(file, memory.encoder)
    given = {"columns": columns, "root": root}
    options: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    try:
        for split, source in tables.items():
            scratch.index(
                source,
                prefix=f"{split}/",
                reuse_from=memory,
                progress=progress,
                **({} if Path(source).is_dir() else options),
            )
    except BaseException:
        scratch.close()
        raise
    return scratch


def read_labelled(
    source: Memory, memory: Memory, says: Callable[[Row], Sequence[str]], where: str | None = None
) -> Examples:
    """The rows of a memory that have a picture and say something.

    Args:
        source: the memory itself, or a scratch memory.
        memory: that will be the evidence.
        says: what a row says for the task; empty for nothing.
        where: only rows that this filter lets through.
    """
    with source.snapshot():
        rows = [row for row in source.rows(where) if row.hash is not None and says(row)]
        numbers = [row.number for row in rows]
        features = source.store.vectors.read("features", numbers)
        vectors = source.store.vectors.read("vectors", numbers)
    rows = [row for row in rows if row.number in features]
    groups = np.array([row.group for row in rows], np.int64)
    if source is memory:
        shown = [np.array([group], np.int64) for group in groups.tolist()]
    else:
        shown = []
        if rows:
            with memory.snapshot():
                shown = groups_like(memory.store, rows, np.stack([vectors[r.number] for r in rows]))
    width = len(next(iter(features.values()))) if features else 0
    stacked = np.stack([features[r.number] for r in rows]) if rows else np.zeros((0, width))
    return Examples(
        rows,
        stacked.astype(np.float32),
        groups,
        shown,
        source,
        source.quarantine() if source is not memory else [],
    )


def remember(
    memory: Memory,
    examples: Examples,
    what: str,
    name: Callable[[Row], str] | None = None,
    since: int | None = None,
) -> int:
    """Bring labelled pictures into the memory, with what was computed of them; returns how many.

    A picture that the memory shows already gets what the table says about it; the others become
    rows. One version of the memory, so that it can be looked at and undone.

    Args:
        memory: to write to.
        examples: from a scratch memory with the same encoder.
        what: was done, for the memory's history.
        name: the id of a picture that is new; None for that of its table, without the split.
        since: version of the memory when the table was read; what people have changed since stays.

    Raises:
        EncoderMismatchError: the memory was given another encoder since.
    """
    name = name or (lambda row: row.id.partition("/")[2])
    source, changed = examples.source, 0
    store, theirs, encoder = memory.store, source.store, source.encoder
    with source.snapshot(), store.transaction():
        memory.check_encoder(encoder, store.spaces.current())
        by_hash = {each.hash: each.id for each in store.rows.hashes()}
        then = {} if since is None else store.history.states(since)
        gone = {str(state["id"]) for state in then.values() if state}
        gone -= store.rows.find(gone).keys()  # deleted while the table was read
        there = theirs.rows.get(row.number for row in examples.rows)
        version = 0
        for seen in examples.rows:
            row = there.get(seen.number)
            if row is None or row.hash != seen.hash:  # gone or another picture since it was read
                continue
            ids = [by_hash.get(row.hash or "") or name(row), row.id, f"{row.id} {row.hash}"]
            taken = store.rows.find(ids)
            # The first id that is free, or this picture's own.
            id = next(i for i in ids if i not in taken or taken[i].hash == row.hash)
            new = _updated(old := taken.get(id), replace(row, id=id), then)
            if new is None or new == old or id in gone:
                continue
            version = version or store.history.begin(what)
            number = row.number
            computed = Computed(
                vector=theirs.vectors.read("vectors", [number]).get(number),
                feature=theirs.vectors.read("features", [number]).get(number),
                text_vectors=theirs.vectors.read_texts(number) if new.texts == row.texts else None,
                picture=source.copied_picture(row),
            )
            store.rows.put(version, new, computed)
            by_hash[row.hash or ""] = id
            changed += 1
        mark_duplicates(store)
    return changed


def _updated(old: Row | None, row: Row, then: Mapping[int, JsonObject | None]) -> Row | None:
    """A row after a table has spoken: what it says replaces, what it does not say stays.

    Args:
        old: the row as it is.
        row: as the table says.
        then: rows that people have changed since the table was read, as they were before; what
            they changed stays.
    """
    if old is None:
        return replace(row, number=0, duplicate_of=None)
    base = old
    if old.number in then:
        state = then[old.number] or {"id": old.id}
        base = replace(old, **user_fields(state))
    updated = replace(
        base,
        texts=row.texts or base.texts,
        label=row.label if row.label is not None else base.label,
        tags=row.tags or base.tags,
        qa=row.qa or base.qa,
        columns={**base.columns, **row.columns},
    )
    return rebase(base, updated, old)


def none_labelled(memory: Memory, noun: str, column: str | None) -> DataError:
    """Why there is nothing to fit to.

    Args:
        memory: that was read.
        noun: what its pictures lack: a label, tag, caption or answer.
        column: of the user's own that was looked in; None for the usual field.
    """
    article = "an" if noun[0] in "aeiou" else "a"
    where = f"a value in the column {column!r}" if column else f"{article} {noun}"
    columns = ", ".join(sorted(memory.info().columns)) or "none"
    usual = {"tag": "image and tags", "answer": "image, question and answer"}
    option = {"caption": "--target", "answer": ""}.get(noun, "--column")
    aside = memory.quarantine()
    reason = f" {len(aside):,} were set aside, such as {aside[0]}." if aside else ""
    return DataError(
        f"No picture that could be read has {where} (own columns: {columns}).{reason} Name a "
        f"table with --data that has columns {usual.get(noun, f'image and {noun}')}"
        + (f", or the column with {option}." if option else ".")
    )
