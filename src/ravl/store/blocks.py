"""Long arrays in blocks: an edit copies the blocks that it touches, and versions share the others.

So a reader keeps the version that it was given, and a writer copies a few thousand rows instead of
all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Numbers

Ints = NDArray[np.int64]

T = TypeVar("T")

SIZE = 4096  # rows of a block; a block is cut when it grows to twice as many


@dataclass(frozen=True, eq=False)
class Edit:
    """The difference of two versions of an array.

    Args:
        removed: positions in the old version that are not in the new one, ascending.
        added: positions in the new version that were not in the old one, ascending. A row that was
            replaced is in both.
    """

    removed: Ints
    added: Ints

    @classmethod
    def between(cls, ids: Ints, stamps: Ints, new_ids: Ints, new_stamps: Ints) -> Edit:
        """From rows by their ids (n,), ascending, to others (m,); a new stamp means a new row."""
        if np.array_equal(ids, new_ids):
            changed = np.flatnonzero(stamps != new_stamps)
            return cls(changed, changed)
        kept = np.zeros(len(ids), bool)
        same = np.zeros(len(new_ids), bool)
        if len(ids):
            places = np.minimum(np.searchsorted(ids, new_ids), len(ids) - 1)
            same = (ids[places] == new_ids) & (stamps[places] == new_stamps)
            kept[places[same]] = True
        return cls(np.flatnonzero(~kept), np.flatnonzero(~same))

    @classmethod
    def all(cls, count: int) -> Edit:
        """From nothing to so many rows."""
        return cls(np.zeros(0, np.int64), np.arange(count))

    def __bool__(self) -> bool:
        return bool(len(self.removed) or len(self.added))

    def on(self, old: Numbers, values: Numbers) -> Numbers:
        """The new version of an array, copied; ``values`` are those of ``added``."""
        if not self:
            return old
        kept = np.delete(old, self.removed, axis=0) if len(self.removed) else old
        if not len(self.added):
            return kept
        return np.insert(kept, self.before, values, axis=0)

    @property
    def before(self) -> Ints:
        """How many rows that stay come before each one that is added."""
        return self.added - np.arange(len(self.added))

    def of_parts(self, counts: Ints, new_counts: Ints) -> Edit:
        """The same difference for the parts of the rows, of which each row has so many."""
        return Edit(spans(counts, self.removed), spans(new_counts, self.added))


def spans(counts: Ints, rows: Ints) -> Ints:
    """Positions of the parts of some rows, where row i has ``counts[i]`` parts in a row."""
    starts = np.cumsum(counts) - counts
    some = counts[rows]
    inner = np.arange(int(some.sum())) - np.repeat(np.cumsum(some) - some, some)
    found: Ints = np.repeat(starts[rows], some) + inner
    return found


class Blocks:
    """A version of an array (n, ...) in blocks; never changed once made.

    Args:
        parts: the blocks; at least one, which may be empty.
        size: rows of a block; None for ``SIZE``.
    """

    def __init__(self, parts: Sequence[Numbers], size: int | None = None) -> None:
        self.parts = tuple(parts)
        self.size = size or SIZE
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])

    @classmethod
    def of(cls, array: Numbers, size: int | None = None) -> Blocks:
        """An array, cut into blocks without a copy."""
        rows = size or SIZE
        return cls([array[i : i + rows] for i in range(0, max(len(array), 1), rows)], rows)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...), as of an array."""
        return len(self), *self.parts[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers."""
        return self.parts[0].dtype

    def __getitem__(self, positions: Ints) -> Numbers:
        """The rows at some positions (...,), which may be negative, as of an array."""
        flat = np.asarray(positions).ravel()
        flat = np.where(flat < 0, flat + len(self), flat)
        found = np.empty((len(flat), *self.shape[1:]), self.dtype)
        block = np.searchsorted(self.starts, flat, "right") - 1
        order = np.argsort(block, kind="stable")
        ends = np.cumsum(np.bincount(block, minlength=len(self.parts)))
        for b in np.flatnonzero(np.diff(ends, prepend=0)).tolist():
            here = order[ends[b - 1] if b else 0 : ends[b]]
            found[here] = self.parts[b][flat[here] - self.starts[b]]
        return found.reshape(*np.shape(positions), *self.shape[1:])

    def item(self, position: int) -> Any:
        """The row at one position."""
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(position)
        b = int(np.searchsorted(self.starts, position, "right")) - 1
        return self.parts[b][position - self.starts[b]]

    def whole(self) -> Numbers:
        """All of it in one piece."""
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)

    def edited(self, edit: Edit, values: Numbers) -> Blocks:
        """The version after an edit; ``values`` are the rows that were added."""
        if not edit:
            return self
        if not len(self):
            return Blocks.of(values, self.size)
        before = edit.before
        parts: list[Numbers] = []
        kept = 0  # rows that stay, up to here
        for i, part in enumerate(self.parts):
            first, last = np.searchsorted(edit.removed, self.starts[i : i + 2])
            stays = len(part) - (last - first)
            end = kept + stays if i + 1 < len(self.parts) else len(self) + 1
            low, high = np.searchsorted(before, (kept, end))
            if last > first or high > low:
                gone, come = edit.removed[first:last] - self.starts[i], before[low:high] - kept
                _put(parts, _changed(part, gone, come, values[low:high]), self.size)
            else:
                parts.append(part)
            kept += stays
        return Blocks(parts or [self.parts[0][:0]], self.size)


def _changed(part: Numbers, gone: Ints, before: Ints, values: Numbers) -> Numbers:
    """A block without some rows, and with others before these of the rows that stay; a copy."""
    if np.array_equal(gone - np.arange(len(gone)), before):  # in the places of those that went
        part = part.copy()
        part[gone] = values
        return part
    return np.insert(np.delete(part, gone, axis=0), before, values, axis=0)


def _put(parts: list[Numbers], part: Numbers, size: int) -> None:
    """Append a changed block: joined to the one before where both are small, cut where large."""
    if not len(part):
        return
    if parts and len(parts[-1]) + len(part) <= size:
        parts[-1] = np.concatenate([parts[-1], part])
    elif len(part) <= 2 * size:
        parts.append(part)
    else:
        parts += [part[i : i + size] for i in range(0, len(part), size)]


class BlockList(Sequence[T], Generic[T]):
    """A version of a list in blocks; see :class:`Blocks`."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    @classmethod
    def of(cls, items: Sequence[T]) -> BlockList[T]:
        """A list, cut into blocks."""
        return cls(Blocks.of(_objects(items)))

    def __len__(self) -> int:
        return len(self.blocks)

    @overload
    def __getitem__(self, position: int) -> T: ...

    @overload
    def __getitem__(self, position: slice) -> list[T]: ...

    def __getitem__(self, position: int | slice) -> T | list[T]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        found: T = self.blocks.item(position)
        return found

    def __iter__(self) -> Iterator[T]:
        for part in self.blocks.parts:
            yield from part.tolist()

    def at(self, positions: Ints) -> list[T]:
        """The items at some positions (n,)."""
        found: list[T] = self.blocks[positions].tolist()
        return found

    def edited(self, edit: Edit, items: Sequence[T]) -> BlockList[T]:
        """The version after an edit; ``items`` are those that were added."""
        return BlockList(self.blocks.edited(edit, _objects(items))) if edit else self


def _objects(items: Sequence[Any]) -> Numbers:
    found = np.empty(len(items), object)
    for i, item in enumerate(items):
        found[i] = item
    return found
