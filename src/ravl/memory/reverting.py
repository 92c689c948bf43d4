"""Differences between versions of a memory, and the way back to one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ravl.data import Example, Rejected
from ravl.data.pictures import MAX_PIXELS
from ravl.errors import QueryError
from ravl.files.scratch import scratch_folder
from ravl.json_types import JsonObject
from ravl.memory.indexing import Indexer
from ravl.memory.moves import Move, holds, settle_ids
from ravl.memory.writing import Write, write
from ravl.store.collection import Collection
from ravl.store.duplicates import mark_duplicates
from ravl.store.history import Difference
from ravl.store.row import Row, user_fields

C = TypeVar("C", bound=Collection)
State = JsonObject | None
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

    def to_json(self) -> JsonObject:
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
    store = memory.store
    with store.snapshot():
        last = store.history.newest()
        new = last if new is None else new
        _check(memory, last, old, new)
        then, later = (store.history.states(version) for version in sorted((old, new)))
        now = {n: row.to_json() for n, row in store.rows.get(then).items()}
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
    report, lost = write(memory, lambda under_way: _revert(memory, under_way, version))
    if lost:  # rows that an older ravl deleted: only their picture's file brings them back
        indexer = Indexer(memory, "Python", copy=False, max_pixels=MAX_PIXELS, dry_run=False)
        added = indexer.run(lost, lambda: len(lost), show=None)
        report.rejected += added.reasons
        report.restored += [example.id for example in lost if example.id in memory]
    return report


def _revert(
    memory: Collection, under_way: Write, version: int
) -> tuple[RevertReport, list[Example]]:
    """What a revert does in its transaction, and the rows that it found nowhere."""
    report, store = RevertReport(version), memory.store
    _check(memory, store.history.newest(), version)
    then = store.history.states(version)
    now = store.rows.get(then)
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
    if not (changed or surplus or missing):
        return report, []
    under_way.begin(what := f"revert to version {version}")
    for row in surplus:
        store.deleted.move(under_way.begin(what), row)
        report.deleted.append(row.id)
    report.updated = _put_back(under_way, changed, what)
    taken_out = {
        e.row.number: (t, e.row) for t in (store.trash, store.deleted) for e in t.entries()
    }
    lost = []
    for number, state in missing.items():
        if store.rows.find([state["id"]]):
            reason = "another row has this id now; rename or delete it, and revert again"
            report.rejected.append(Rejected(state["id"], reason))
        elif number not in taken_out:
            lost.append(Row(0, **user_fields(state)).example())
        else:
            trash, row = taken_out[number]
            new = replace(row, **user_fields(state))
            if flaw := under_way.bring_back(trash, row, new, what):
                report.rejected.append(Rejected(new.id, str(flaw)))
            else:
                report.restored.append(new.id)
    mark_duplicates(store)
    return report, lost


@contextmanager
def at(memory: C, version: int) -> Iterator[tuple[C, RevertReport]]:
    """A memory as it was at a version, until the block is left; see :meth:`Memory.at`.

    It is a copy that is gone afterwards. It lies beside the memory; if nothing can be written
    there, it lies in the system's folder of temporary files.
    """
    _check(memory, memory.version, version)
    beside = memory.folder if os.access(memory.folder, os.W_OK) else None
    with scratch_folder(beside) as folder:
        file = folder / memory.path.name
        memory.store.copy_to(file)
        with type(memory).open(file, memory.encoder, folder=memory.folder) as copy:
            yield copy, revert(copy, version)


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


def _put_back(under_way: Write, changed: list[tuple[Row, JsonObject]], what: str) -> list[str]:
    """Give rows back what they said, and their names if their pictures have these; their ids."""
    rows = under_way.store.rows
    own = {row.id for row, _ in changed}
    states = {row.number: state for row, state in changed}
    backs: list[Move] = []
    for row, state in changed:
        old = replace(row, **user_fields(state))
        there = old.path is None or old.path == row.path or holds(old.path, row.hash)
        backs.append(Move(row, False, old.id if there else row.id, old.path if there else row.path))
    taken = rows.find(move.id for move in backs).keys() - own
    backs = settle_ids(backs, taken)
    rows.rename(under_way.begin(what), [(m.row, m.moved) for m in backs if m.moved != m.row])
    for move in backs:
        old = replace(move.row, **user_fields(states[move.row.number]))
        under_way.put(replace(old, id=move.id, path=move.path), what)
    return [move.id for move in backs]


def _check(memory: Collection, last: int, *wanted: int) -> None:
    for version in wanted:
        if not 0 <= version <= last:
            raise QueryError(
                f"{memory.path} has no version {version}; it has 0 to {last}. See what each "
                f"changed with: ravl log {memory.path}"
            )
