"""Differences between versions of a memory, and the way back to one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any, TypeVar

from ravl.data import Rejected
from ravl.data.pictures import MAX_PIXELS
from ravl.errors import QueryError
from ravl.memory import trash
from ravl.memory.indexing import Indexer
from ravl.memory.moves import Move, holds, settle_ids
from ravl.store.collection import Collection
from ravl.store.duplicates import mark_duplicates
from ravl.store.history import Difference
from ravl.store.row import Computed, Row, user_fields

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
    report, store = RevertReport(version), memory.store
    with store.transaction():
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
        if changed or surplus or missing:
            number = store.history.begin(f"revert to version {version}")
            for row in surplus:
                store.rows.delete(number, row)
                report.deleted.append(row.id)
            _update(memory, number, changed, report)
            missing = _from_trash(memory, number, missing, report)
            mark_duplicates(store)
    lost = [Row(0, **user_fields(state)).example() for state in missing.values()]
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
    _check(memory, memory.version, version)
    file = memory.folder / f".{memory.path.name}.at-{version}-{token_hex(4)}"
    try:
        memory.store.copy_to(file)
        with type(memory).open(file, memory.encoder) as copy:
            yield copy, revert(copy, version)
    finally:
        memory.store.remove_copy(file)


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
    version: int,
    changed: list[tuple[Row, dict[str, Any]]],
    report: RevertReport,
) -> None:
    rows = memory.store.rows
    own = {row.id for row, _ in changed}
    states = {row.number: state for row, state in changed}
    backs: list[Move] = []
    for row, state in changed:
        old = replace(row, **user_fields(state))
        there = old.path is None or old.path == row.path or holds(old.path, row.hash)
        backs.append(Move(row, False, old.id if there else row.id, old.path if there else row.path))
    taken = rows.find(move.id for move in backs).keys() - own
    backs = settle_ids(backs, taken)
    rows.rename(version, [(m.row, m.moved) for m in backs if m.moved != m.row])
    for move in backs:
        row = move.row
        old = replace(row, **user_fields(states[row.number]))
        old = replace(old, id=move.id, path=move.path)
        vectors = memory.encoder.embed_texts(old.texts) if old.texts != row.texts else None
        rows.put(version, old, Computed(text_vectors=vectors))
        report.updated.append(old.id)


def _from_trash(
    memory: Collection,
    version: int,
    missing: dict[int, dict[str, Any]],
    report: RevertReport,
) -> dict[int, dict[str, Any]]:
    """Bring back what lies in the trash; what does not is returned."""
    trashed = {entry.row.number: entry.row for entry in memory.store.trash.entries()}
    for number in trashed.keys() & missing.keys():
        row = trashed[number]
        trash.put_back(memory, version, row, replace(row, **user_fields(missing[number])))
        report.restored.append(str(missing[number]["id"]))
    return {n: state for n, state in missing.items() if n not in trashed}


def _check(memory: Collection, last: int, *wanted: int) -> None:
    for version in wanted:
        if not 0 <= version <= last:
            raise QueryError(
                f"{memory.path} has no version {version}; it has 0 to {last}. See what each "
                f"changed with: ravl log {memory.path}"
            )
