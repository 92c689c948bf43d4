"""Compacting: what was deleted leaves the store, and with it what history knew of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ravl.json_types import JsonObject
from ravl.store.collection import Collection


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
        store.deleted.empty()
        forgotten = store.history.forget_deleted()
        kept = {row.path for row in store.rows.with_file()}
        lost = [path for path in store.folders.stamps() if path not in kept and not path.exists()]
        store.folders.forget(lost)
    store.compact()
    return CompactReport(forgotten, before, store.size())
