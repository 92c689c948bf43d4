"""Differences between versions of a memory, and the way back to one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any, TypeVar

from ravl.data import Rejected
from ravl.data.pictures import MAX_PIXELS
from ravl.errors import QueryError
from ravl.memory.indexing import Indexer
from ravl.store import rows as store
from ravl.store import trash as bin
from ravl.store.collection import Collection
from ravl.store.duplicates import mark_twins
from ravl.store.history import Difference, newest, states
from ravl.store.row import Row, told
from ravl.store.spaces import current_space
from ravl.store.sqlite import files_of

C = TypeVar("C", bound=Collection)
State = dict[str, Any] | None
States = dict[int, State]


@dataclass
class RevertReport:
    """What a revert did.

    Args:
        version: that the memory is like again.
        updated, deleted, restored: ids of rows.
        rejected: rows that were there and cannot be had again, since their picture is gone.
    """

    version: int
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "version": self.version,
            "updated": self.updated,
            "deleted": self.deleted,
            "restored": self.restored,
            "reasons": [r.to_json() for r in self.rejected],
        }


def diff(memory: Collection, old: int, new: int | None = None) -> list[Difference]:
    """Rows that differ between two versions; see :meth:`Memory.diff`."""
    with memory.snapshot() as connection:
        last = newest(connection)
        new = last if new is None else new
        _check(memory, last, old, new)
        then, later = states(connection, min(old, new)), states(connection, max(old, new))
        now = {
            n: row.to_json() for n, row in store.get_rows(connection, then, memory.folder).items()
        }
    found = []
    after_ = {n: later[n] if n in later else now.get(n) for n in then}
    for before, after in _pairs(then, after_):
        if before != after:
            named = after or before or {}
            pair = (before, after) if old <= new else (after, before)
            found.append(Difference(str(named.get("id", "")), *pair))
    return found


def revert(memory: Collection, version: int) -> RevertReport:
    """Make the memory like it was at a version; see :meth:`Memory.revert`."""
    report = RevertReport(version)
    with memory.database.transaction() as connection:
        _check(memory, newest(connection), version)
        then = states(connection, version)
        now = store.get_rows(connection, then, memory.folder)
        rows = {row.id: row for row in now.values()}
        changed, surplus, missing = [], [], {}
        there = {n: row.to_json() for n, row in now.items()}
        numbers = {id(state): n for n, state in then.items()}
        for before, after in _pairs(then, {n: there.get(n) for n in then}):
            if before is None and after is not None:
                surplus.append(rows[after["id"]])
            elif before is not None and after is None:
                missing[numbers[id(before)]] = before
            elif before is not None and after is not None and before != after:
                changed.append((rows[after["id"]], before))
        if changed or surplus or missing:
            number = store.new_version(connection, f"revert to version {version}")
            _update(memory, connection, number, changed, report)
            for row in surplus:
                store.delete_row(connection, number, row)
                report.deleted.append(row.id)
            missing = _from_bin(memory, connection, number, missing, report)
            mark_twins(connection)
    lost = [Row(0, **told(state)).example() for state in missing.values()]
    taken = {example.id for example in lost if example.id in memory}
    report.rejected += [
        Rejected(id, "another row has this id now; rename or delete it, and revert again")
        for id in sorted(taken)
    ]
    again = [example for example in lost if example.id not in taken]
    indexer = Indexer(memory, "Python", copy=False, max_pixels=MAX_PIXELS, dry_run=False)
    added = indexer.run(again, lambda: len(again), show=None)
    report.rejected += added.reasons
    report.restored += [e.id for e in lost if e.id not in taken and e.id in memory]
    return report


@contextmanager
def at(memory: C, version: int) -> Iterator[tuple[C, RevertReport]]:
    """A memory as it was at a version, until the block is left; see :meth:`Memory.at`.

    It is a copy beside the memory, so that relative paths hold, and is gone afterwards.
    """
    with memory.snapshot() as connection:
        _check(memory, newest(connection), version)
    file = memory.folder / f".{memory.path.name}.at-{version}-{token_hex(4)}"
    try:
        memory.database.copy_to(file)
        with type(memory).open(file, memory.encoder) as copy:
            yield copy, revert(copy, version)
    finally:
        for left in files_of(file):
            left.unlink(missing_ok=True)


def _pairs(then: States, later: States) -> list[tuple[State, State]]:
    """Each row's states; one that was deleted and came back under its id is the same row."""
    back = {state["id"]: n for n, state in later.items() if state and not then[n]}
    found, taken = [], set()
    for number, before in then.items():
        after = later[number]
        if before and not after and before["id"] in back:
            after = later[back[before["id"]]]
            taken.add(back[before["id"]])
        found.append((number, before, after))
    return [(before, after) for n, before, after in found if n not in taken]


def _update(
    memory: Collection,
    connection: sqlite3.Connection,
    version: int,
    changed: list[tuple[Row, dict[str, Any]]],
    report: RevertReport,
) -> None:
    space = current_space(connection).number
    for row, state in changed:
        old = replace(row, **told(state))
        if old.id != row.id or old.path != row.path:
            if old.path is None or old.path.exists():
                store.rename_row(connection, version, memory.folder, row, old)
            else:
                old = replace(old, id=row.id, path=row.path)
        vectors = memory.encoder.embed_texts(old.texts) if old.texts != row.texts else None
        computed = store.Computed(text_vectors=vectors)
        store.put_row(connection, version, space, memory.folder, old, computed)
        report.updated.append(old.id)


def _from_bin(
    memory: Collection,
    connection: sqlite3.Connection,
    version: int,
    missing: dict[int, dict[str, Any]],
    report: RevertReport,
) -> dict[int, dict[str, Any]]:
    """Bring back what lies in the bin; what does not is returned."""
    binned = {each.row.number: each.row for each in bin.listed(connection, memory.folder)}
    for number in binned.keys() & missing.keys():
        row = binned[number]
        bin.put_back(memory, connection, version, row, replace(row, **told(missing[number])))
        report.restored.append(str(missing[number]["id"]))
    return {n: state for n, state in missing.items() if n not in binned}


def _check(memory: Collection, last: int, *wanted: int) -> None:
    for version in wanted:
        if not 0 <= version <= last:
            raise QueryError(
                f"{memory.path} has no version {version}; it has 0 to {last}. See what each "
                f"changed with: ravl log {memory.path}"
            )
