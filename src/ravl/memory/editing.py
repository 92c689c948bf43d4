"""Rows edited by their ids, as one version, so that one revert takes it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ravl.memory.writing import Write, write
from ravl.store.collection import Collection
from ravl.store.row import Row

Change = Callable[[Row], Row]


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did.

    Args:
        version: the number of the version that it made; None if nothing had to be changed.
        rows: the changed rows in their new form, by their ids.
    """

    version: int | None
    rows: Mapping[str, Row]


def edit(
    memory: Collection,
    what: str,
    changes: Mapping[str, Change] | None = None,
    trashed: Sequence[str] = (),
) -> Edit:
    """Change rows, and move others to the trash: all or nothing.

    A change is a function from the row as it is to the row as it should be. It runs in the
    transaction that writes the row, so fields that it leaves alone keep what others wrote.

    Args:
        memory: to edit.
        what: is done, for the history.
        changes: by ids of rows; ids and pictures stay.
        trashed: ids of rows that go to the trash, from where ``memory.restore`` brings them back.
            The next ``sync`` leaves them there.

    Raises:
        DataError: the memory cannot store a row; then nothing is changed.
        RowNotFoundError: a row is not there any more; then nothing is changed.
    """
    wanted = changes or {}

    def work(under_way: Write) -> Edit:
        found = under_way.find([*wanted, *trashed])
        for id, change in wanted.items():
            under_way.put(change(found[id]), what)
        rows = under_way.find(wanted)
        for id in dict.fromkeys(trashed):
            under_way.trash(found[id], what)
        return Edit(under_way.version, rows)

    return write(memory, work)
