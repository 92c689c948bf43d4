"""The live view of a memory: its rows and features, held once and following every edit.

A view is one moment of the memory and never changes. The next one shares with it all that was not
edited, so that an edit costs what it touches. What tasks derive of the rows follows in the same
way: see :class:`Followed`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.kept import fitted
from ravl.retrieval.key_projection import SAMPLE, Principal
from ravl.store.blocks import BlockList, Blocks, Edit, Ints
from ravl.store.collection import Collection
from ravl.store.following import Moment, all_features, features_of
from ravl.store.row import Row

T = TypeVar("T")
VIEWS = 4  # of different moments that are kept, for readers whose snapshot is a little older


class Features(Protocol):
    """Features of rows, (N, F)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, F)."""

    def __getitem__(self, positions: Ints) -> Array:
        """Those of some rows, (..., F) float32."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Features as they are stored, float16, and given out as float32."""

    blocks: Blocks

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, F)."""
        return self.blocks.shape

    def __getitem__(self, positions: Ints) -> Array:
        """Those of some rows, (..., F) float32."""
        return self.blocks[positions].astype(np.float32)


@dataclass(frozen=True, eq=False)
class View:
    """Rows that may be evidence, at one moment; never changed once made.

    Args:
        ids: what tells rows apart, (N,), ascending: their numbers.
        stamps: of what each row says, (N,): another number means that it says something else.
        seen: the same of the features by which it is found, (N,).
        rows: N of them.
        twins: the first of its near-duplicates, (N,), 0 where a row has none.
        features: of the frozen tower, (N, F).
        others: rows without a picture, oldest first.
        others_stamp: another number means that one of them was added, changed or deleted.
    """

    ids: Ints
    stamps: Ints
    seen: Ints
    rows: BlockList[Row]
    twins: Ints
    features: Features
    others: Sequence[Row] = ()
    others_stamp: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def principal(self) -> Principal:
        """Principal directions of the features, from an even sample; no other row is read."""
        some = self.features[np.arange(0, len(self), max(1, len(self) // SAMPLE))]
        made = fitted(len(some), ("principal", some), lambda: Principal.of(some).kept())
        return Principal.of_kept(made)

    @cached_property
    def groups(self) -> Ints:
        """Number of the first of its near-duplicates, or its own, (N,)."""
        return np.where(self.twins > 0, self.twins, self.ids)

    def edit_since(self, old: View | None) -> Edit:
        """How what the rows say differs from another view; None for an empty one."""
        if old is None:
            return Edit.all(len(self))
        return Edit.between(old.ids, old.stamps, self.ids, self.stamps)

    def seen_since(self, old: View | None) -> Edit:
        """How the features differ from another view; None for an empty one."""
        if old is None:
            return Edit.all(len(self))
        return Edit.between(old.ids, old.seen, self.ids, self.seen)

    def rows_at(self, positions: Ints) -> list[Row]:
        """Some of the rows."""
        return self.rows.at(positions)


class Followed(Generic[T]):
    """Something that is derived of a view's rows, and follows when these change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[View, T] | None = None

    def at(self, view: View) -> T:
        """What it is for a view."""
        with self._lock:
            if self._known is None or self._known[0] is not view:
                self._known = view, self.follow(self._known, view)
            return self._known[1]

    def follow(self, known: tuple[View, T] | None, view: View) -> T:
        """What it is for a view, from what it was for another; None at first."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Source:
    """Where a task's evidence comes from: the memory's rows, or what is derived of them.

    Args:
        live: of the memory.
        derived: the rows as the task sees them; None for as they are.
    """

    live: Live
    derived: Followed[View] | None = None

    def view(self) -> View:
        """The present rows."""
        return self.at(self.live.view())

    def at(self, view: View) -> View:
        """The rows as they are in a view of the memory."""
        return view if self.derived is None else self.derived.at(view)


class Live:
    """The views of one memory, shared by all that answer from it in this process.

    Args:
        memory: to follow.
    """

    def __init__(self, memory: Collection) -> None:
        self._memory = memory
        self._lock = threading.RLock()  # what is shared may be made of what is shared
        self._views: dict[Moment, View] = {}  # the newest last
        self._stamps = count(1)
        self._shared: weakref.WeakValueDictionary[object, Any] = weakref.WeakValueDictionary()

    def view(self) -> View:
        """The present rows; reads only those that changed since the last view."""
        with self._memory.snapshot():
            moment = Moment.of(self._memory.store)
            with self._lock:
                if moment in self._views:
                    return self._views[moment]
                newest = next(reversed(self._views), None)
                if newest is None or newest.space != moment.space:
                    view = self._load(moment)
                elif newest.change > moment.change:
                    return self._views[newest]  # the snapshot is older than all that is kept
                else:
                    view = self._follow(newest, moment)
                self._views[moment] = view
                while len(self._views) > VIEWS:
                    self._views.pop(next(iter(self._views)))
                return view

    def shared(self, key: object, make: Callable[[], T]) -> T:
        """What is derived once for all that ask with this key, as long as somebody keeps it."""
        with self._lock:
            found: T | None = self._shared.get(key)
            if found is None:
                found = self._shared[key] = make()
            return found

    def _load(self, moment: Moment) -> View:
        numbers, features = all_features(self._memory.store, moment.space)
        known = set(numbers.tolist())
        rows, others = [], []
        for row in self._memory.store.rows.iterate():
            if row.hash is None:
                others.append(row)
            elif row.number in known:
                rows.append(row)
        ids = np.array([row.number for row in rows], np.int64)
        if len(ids) != len(numbers):
            features = Blocks.of(features[np.searchsorted(numbers, ids)])
        stamp = next(self._stamps)
        stamps = np.full(len(rows), stamp, np.int64)
        twins = np.array([row.duplicate_of or 0 for row in rows], np.int64)
        return View(
            ids,
            stamps,
            stamps,
            BlockList.of(rows),
            twins,
            Stored(features),
            others,
            stamp,
        )

    def _follow(self, newest: Moment, moment: Moment) -> View:
        old, stamp = self._views[newest], next(self._stamps)
        store = self._memory.store
        touched = np.array(store.history.changed_since(newest.change), np.int64)
        rows = store.rows.get(touched.tolist())
        features = features_of(
            store, moment.space, [n for n, row in rows.items() if row.hash is not None]
        )
        view = _edited(old, touched, [rows[n] for n in sorted(features)], features, stamp)
        view = _others(view, touched, [row for row in rows.values() if row.hash is None], stamp)
        if newest.grouped != moment.grouped or len(rows) < len(touched):
            view = _regrouped(view, store.rows.duplicates(), stamp)
        return view


def _edited(
    old: View,
    touched: Ints,
    rows: Sequence[Row],
    features: dict[int, NDArray[np.floating]],
    stamp: int,
) -> View:
    """A view after some rows were touched, of which these have a picture now."""
    removed = np.flatnonzero(np.isin(old.ids, touched, assume_unique=True))
    fresh = np.array([row.number for row in rows], np.int64)
    kept = np.delete(old.ids, removed)
    edit = Edit(removed, np.searchsorted(kept, fresh) + np.arange(len(fresh)))
    ids = edit.on(old.ids, fresh)
    stored: Any = old.features
    new = np.stack([features[n] for n in fresh.tolist()]) if len(fresh) else stored.blocks[fresh]
    seen = np.full(len(fresh), stamp, np.int64)
    place = np.searchsorted(old.ids[removed], fresh)
    for i in np.flatnonzero(np.isin(fresh, old.ids[removed])).tolist():
        before = removed[place[i]]
        if np.array_equal(stored.blocks.item(int(before)), new[i]):
            seen[i] = old.seen[before]
    stamps = edit.on(old.stamps, np.full(len(fresh), stamp, np.int64))
    all_seen = edit.on(old.seen, seen)
    looked = Edit.between(old.ids, old.seen, ids, all_seen)
    values = new[np.searchsorted(fresh, ids[looked.added])]
    return replace(
        old,
        ids=ids,
        stamps=stamps,
        seen=all_seen,
        rows=old.rows.edited(edit, rows),
        twins=edit.on(old.twins, np.array([row.duplicate_of or 0 for row in rows], np.int64)),
        features=Stored(stored.blocks.edited(looked, values)),
    )


def _others(view: View, touched: Ints, rows: Sequence[Row], stamp: int) -> View:
    """The view with its present rows without a picture."""
    gone = set(touched.tolist())
    kept = [row for row in view.others if row.number not in gone]
    if not rows and len(kept) == len(view.others):
        return view
    others = sorted([*kept, *rows], key=lambda row: row.number)
    return replace(view, others=others, others_stamp=stamp)


def _regrouped(view: View, groups: dict[int, int], stamp: int) -> View:
    """The view with near-duplicates as they are noted now."""
    twins = np.zeros(len(view), np.int64)
    numbers = np.array(sorted(groups), np.int64)
    there = np.isin(numbers, view.ids, assume_unique=True)
    twins[np.searchsorted(view.ids, numbers[there])] = [groups[n] for n in numbers[there].tolist()]
    changed = np.flatnonzero(twins != view.twins)
    if not len(changed):
        return view
    rows = [
        replace(row, duplicate_of=int(twin) or None)
        for row, twin in zip(view.rows_at(changed), twins[changed].tolist(), strict=True)
    ]
    stamps = view.stamps.copy()
    stamps[changed] = stamp
    edited = view.rows.edited(Edit(changed, changed), rows)
    return replace(view, stamps=stamps, rows=edited, twins=twins)
