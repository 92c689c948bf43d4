"""The trash of a memory: bringing rows back from it, and emptying it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ravl.errors import RowNotFoundError
from ravl.memory.writing import Write, write
from ravl.store.collection import Collection
from ravl.store.contract import Store
from ravl.store.duplicates import mark_duplicates
from ravl.store.records import RESTORED
from ravl.store.row import Row


def restore(memory: Collection, ids: Iterable[str] | None = None) -> list[str]:
    """Bring rows back, all or some.

    A row whose id is taken again stays in the trash. So does a row whose picture must be encoded
    again, since the memory has another encoder now, and cannot be read.

    Args:
        memory: whose trash.
        ids: of the rows; None for all.

    Returns:
        Ids of those that are back.

    Raises:
        RowNotFoundError: one of the ids is not in the trash; then nothing is restored.
    """
    store = memory.store

    def work(under_way: Write) -> list[str]:
        chosen = _chosen(memory, ids)
        taken = store.rows.find([row.id for row in chosen])
        what = f"restore {len(chosen) - len(taken):,} from the trash"
        back = []
        for row in chosen:
            if row.id not in taken and not under_way.bring_back(store.trash, row, row, what):
                _keep_without_file(store, row)
                back.append(row.id)
        if back:
            mark_duplicates(store)
        return back

    return write(memory, work)


def empty(memory: Collection, ids: Iterable[str] | None = None) -> int:
    """Forget what is in the trash, all or some; returns how many rows.

    Raises:
        RowNotFoundError: one of the ids is not in the trash; then nothing is forgotten.
    """
    with memory.store.transaction():
        if ids is None:
            return memory.store.trash.empty()
        return memory.store.trash.empty([row.number for row in _chosen(memory, ids)])


def _chosen(memory: Collection, ids: Iterable[str] | None) -> Sequence[Row]:
    """Rows in the trash, the newest of those with one id."""
    rows: dict[str, Row] = {}
    for entry in memory.store.trash.entries():
        rows.setdefault(entry.row.id, entry.row)
    if ids is None:
        return list(rows.values())
    wanted = [ids] if isinstance(ids, str) else list(ids)
    missing = [id for id in wanted if id not in rows]
    if missing:
        raise RowNotFoundError(
            f"There is no row {missing[0]!r} in the trash of {memory.path}. See what is there "
            f"with: ravl trash {memory.path}"
        )
    return [rows[id] for id in dict.fromkeys(wanted)]


def _keep_without_file(store: Store, row: Row) -> None:
    """So that the next sync does not move it to the trash again."""
    if row.path is not None and not row.path.exists():
        store.folders.remember({row.path: RESTORED})
