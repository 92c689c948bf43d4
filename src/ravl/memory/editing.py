"""Many rows edited at once, as one version, so that one revert takes it back."""

from __future__ import annotations

from collections.abc import Sequence

from ravl.errors import DataError
from ravl.memory.folder_scan import stamp_of
from ravl.store.collection import Collection
from ravl.store.contract import Store
from ravl.store.row import NOTHING_COMPUTED, Computed, Row, unwritable


def edit(
    memory: Collection, what: str, changed: Sequence[Row] = (), trashed: Sequence[str] = ()
) -> int:
    """Write rows in place of their old selves, and move others to the trash: all or nothing.

    Args:
        memory: to edit.
        what: is done, for the history.
        changed: rows in their new form; ids and pictures stay.
        trashed: ids of rows that go to the trash, from where ``memory.restore`` brings them back.
            The next ``sync`` leaves them there.

    Returns:
        The number of the version that this made.

    Raises:
        DataError: the memory cannot store a row; then nothing is changed.
        RowNotFoundError: a row is not there any more; then nothing is changed.
    """
    for row in changed:
        if flaw := unwritable(row):
            raise DataError(f"The row {row.id!r} cannot be changed so. {flaw}")
    old = {row.id: memory.get(row.id) for row in changed}
    computed = {
        row.id: Computed(text_vectors=memory.encoder.embed_texts(row.texts))
        for row in changed
        if row.texts != old[row.id].texts
    }
    store = memory.store
    with store.transaction():
        version = store.history.begin(what)
        for row in changed:
            store.rows.put(version, row, computed.get(row.id, NOTHING_COMPUTED))
        for id in trashed:
            row = memory.get(id)
            store.trash.move(version, row)
            _leave_alone(store, row)
    return version


def _leave_alone(store: Store, row: Row) -> None:
    """Take the file for known, so that the next sync does not bring it in again."""
    stamp = stamp_of(row.path) if row.path is not None else None
    if row.path is not None and stamp is not None:
        store.folders.remember({row.path: stamp})
