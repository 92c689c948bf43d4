"""Many rows edited at once, as one version, so that one revert takes it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from ravl.errors import DataError
from ravl.memory.folder_scan import stamp_of
from ravl.store import rows as store
from ravl.store import trash as bin
from ravl.store.collection import Collection
from ravl.store.row import Row, unwritable
from ravl.store.spaces import current_space


def edit(
    memory: Collection, what: str, changed: Sequence[Row] = (), thrown: Sequence[str] = ()
) -> int:
    """Write rows in place of their old selves, and throw others into the bin: all or nothing.

    Args:
        memory: to edit.
        what: is done, for the history.
        changed: rows as they shall be; their ids and pictures stay.
        thrown: ids of rows that go into the bin, from where ``memory.restore`` brings them back.
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
        row.id: store.Computed(text_vectors=memory.encoder.embed_texts(row.texts))
        for row in changed
        if row.texts != old[row.id].texts
    }
    with memory.database.transaction() as connection:
        version = store.new_version(connection, what)
        space = current_space(connection).number
        for row in changed:
            store.put_row(
                connection,
                version,
                space,
                memory.folder,
                row,
                computed.get(row.id, store.Computed()),
            )
        if thrown:
            bin.ensure(connection)
        for id in thrown:
            row = memory.get(id)
            bin.throw(connection, version, row)
            _leave_alone(connection, row, memory.folder)
    return version


def _leave_alone(connection: sqlite3.Connection, row: Row, folder: Path) -> None:
    """Take the file for known, so that the next sync does not bring it in again."""
    stamp = stamp_of(row.path) if row.path is not None else None
    if stamp is not None:
        path = store.stored_path(row.path, folder)
        connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (path, *stamp))
