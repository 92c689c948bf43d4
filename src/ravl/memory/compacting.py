"""Compacting: what was deleted leaves the store, and with it what history knew of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ravl.errors import RowNotFoundError
from ravl.json_types import JsonObject
from ravl.store import graph_file
from ravl.store.collection import Collection
from ravl.store.contract import Store

CUT_OFF = "forgetting"  # a note: "1" while rows are forgotten


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What compacting did.

    Args:
        forgotten: rows that were deleted, of which the file holds nothing any more.
        before, after: bytes of the file and its log.
    """

    forgotten: int
    before: int
    after: int

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


def compact(memory: Collection) -> CompactReport:
    """Forget all that was deleted, and give its room back; see :meth:`Memory.compact`."""
    store = memory.store
    before = store.size()
    store.words.renew()
    with store.transaction():
        forgotten = _forget_deleted(store)
        if forgotten:
            graph_file.remove(store)  # it still has their vectors
    store.compact()
    _finish(store)
    return CompactReport(forgotten, before, store.size())


def forget(memory: Collection, ids: Iterable[str]) -> int:
    """Erase rows, also those in the trash, with all that the file has of them; returns how many.

    The rows leave the memory and its history in one transaction; then the file is rewritten. If the
    process ends between the two, the same call completes it, and so does :func:`compact`.

    Raises:
        RowNotFoundError: one of the ids is not there; then nothing is deleted.
        MemoryLockedError: another process reads the memory, so that bytes of the rows are left in
            its file. The same call completes it.
    """
    store, wanted = memory.store, list(dict.fromkeys(ids))
    store.words.renew()
    with store.transaction():
        found = store.rows.find(wanted)
        trashed = [e.row for e in store.trash.entries() if e.row.id in wanted]
        known = {*found, *(row.id for row in trashed)}
        missing = [id for id in wanted if id not in known]
        if missing and not is_cut_off(memory):
            raise RowNotFoundError(f"There is no row {missing[0]!r} in {memory.path}.")
        rows = {row.number: row for row in found.values()}
        if rows:
            version = store.history.begin(f"delete {named([row.id for row in rows.values()])}")
            for row in rows.values():
                store.rows.delete(version, row)
        store.trash.empty(row.number for row in trashed)
        for row in (*rows.values(), *trashed):
            store.quarantine.release(row.id)
            store.quarantine.release(str(row.path))
        _forget_deleted(store)
        graph_file.remove(store)
        store.notes.set(CUT_OFF, "1")
    store.compact()
    _finish(store)
    return len(rows) + len(trashed)


def is_cut_off(memory: Collection) -> bool:
    """True if a process ended while it forgot rows: they are gone, but the file has their bytes."""
    return memory.store.notes.get(CUT_OFF) == "1"


def named(ids: Sequence[str]) -> str:
    """One id, or how many there are, for the history."""
    return ids[0] if len(ids) == 1 else f"{len(ids):,} rows"


def _forget_deleted(store: Store) -> int:
    """Take deleted rows out of the history and all that follows it; returns how many."""
    store.deleted.empty()
    forgotten = store.history.forget_deleted()
    store.rows.forget_column_names()
    kept = {row.path for row in store.rows.with_file()}
    lost = [path for path in store.folders.stamps() if path not in kept and not path.exists()]
    store.folders.forget(lost)
    return forgotten


def _finish(store: Store) -> None:
    """The file has been rewritten."""
    if store.notes.get(CUT_OFF) == "1":
        with store.transaction():
            store.notes.set(CUT_OFF, "")
