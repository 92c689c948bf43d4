"""Renamed files while a source is indexed: rows follow their pictures before these are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ravl.data import Example
from ravl.memory.moves import (
    Arrival,
    Move,
    find_moves,
    holds,
    is_named,
    settle_ids,
)
from ravl.store.collection import Collection
from ravl.store.row import Row


@dataclass(frozen=True, slots=True)
class Deferred:
    """An example that waits for all others, since its picture may be that of another row.

    Args:
        example: whose picture is a file.
        hash: of the file's content.
        old: the row of its id, whose picture is another; None for no such row.
    """

    example: Example
    hash: str
    old: Row | None

    @property
    def path(self) -> Path:
        """The file."""
        assert isinstance(self.example.picture, Path)
        return self.example.picture.absolute()


@dataclass(frozen=True, slots=True)
class Renames:
    """What was found about renamed files.

    Args:
        moves: rows that follow their picture.
        removed: rows whose picture is nowhere, and whose file holds that of another row.
    """

    moves: Sequence[Move]
    removed: Sequence[Row]


def find_renames(memory: Collection, deferred: Sequence[Deferred], root: Path) -> Renames:
    """Which rows have their picture in another file now, out of what an index run deferred.

    Rows with an id of their own, not made from the file's name, stay: a table says what they are.
    Rows of other folders stay, too: their disk may be away.

    Args:
        memory: that is being indexed.
        deferred: examples whose picture may be that of another row.
        root: the folder of the source; only rows with files below it can have lost their file.
    """
    waiting = [each for each in deferred if is_named(each.example.id, each.path)]
    displaced = [d.old for d in waiting if d.old is not None and is_named(d.old.id, d.old.path)]
    known = {row.number for row in displaced}
    wanted = {each.hash for each in waiting}
    numbers = [h.row for h in memory.store.rows.hashes() if h.hash in wanted]
    gone = [
        row
        for row in memory.store.rows.get(numbers).values()
        if row.number not in known
        and is_named(row.id, row.path)
        and row.path is not None
        and row.path.is_relative_to(root)
        and not holds(row.path, row.hash)
    ]
    arrivals = [Arrival(each.path, each.hash, each.example.id) for each in waiting]
    moves = find_moves(arrivals, [*displaced, *gone])
    moved, taken = {m.row.number for m in moves}, {m.path for m in moves}
    removed = [row for row in displaced if row.path in taken and row.number not in moved]
    leaving = {m.row.id for m in moves} | {row.id for row in removed}
    others = memory.store.rows.find(m.id for m in moves).keys() - leaving
    return Renames(settle_ids(moves, others), removed)
