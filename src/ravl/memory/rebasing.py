"""A row that was changed by another writer, after an indexer has read it and before it writes it.

Fields that the indexer does not change keep their present value. So do fields that both change:
what a person sets while a source is being read is newer than the source. A deleted row stays
deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from ravl.data import Scalar
from ravl.store.row import Row

T = TypeVar("T")


def rebase(base: Row | None, mine: Row, theirs: Row | None) -> Row | None:
    """The row to write.

    Args:
        base: as it was when it was read, None if there was none.
        mine: as it should become.
        theirs: the present row, None if it was deleted.

    Returns:
        None if nothing is to be written: the row was deleted, or its id was given to another
        picture since.
    """
    if theirs is None:
        return mine if base is None else None
    if base is not None and base.number != theirs.number:
        return None  # deleted, and its id given to a new row
    if base == theirs:
        return mine
    base = base or Row(0, mine.id)
    repictured = mine.hash != base.hash
    if repictured and theirs.hash not in (base.hash, mine.hash):
        return None
    row = replace(
        theirs,
        texts=_one(base.texts, mine.texts, theirs.texts),
        label=_one(base.label, mine.label, theirs.label),
        tags=_one(base.tags, mine.tags, theirs.tags),
        qa=_one(base.qa, mine.qa, theirs.qa),
        columns=_columns(base.columns, mine.columns, theirs.columns),
        source=_one(base.source, mine.source, theirs.source),
    )
    if repictured and mine.hash != theirs.hash:
        return replace(
            row,
            path=mine.path,
            hash=mine.hash,
            width=mine.width,
            height=mine.height,
            phash=mine.phash,
            duplicate_of=mine.duplicate_of,
        )
    if mine.hash == theirs.hash:
        return replace(row, path=_one(base.path, mine.path, theirs.path))
    return row


def _one(base: T, mine: T, theirs: T) -> T:
    return mine if theirs == base else theirs


def _columns(
    base: Mapping[str, Scalar], mine: Mapping[str, Scalar], theirs: Mapping[str, Scalar]
) -> dict[str, Scalar]:
    names = dict.fromkeys((*theirs, *mine))
    merged = {n: _one(base.get(n), mine.get(n), theirs.get(n)) for n in names}
    return {name: value for name, value in merged.items() if value is not None}
