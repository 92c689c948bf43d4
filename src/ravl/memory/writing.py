"""Writes that need vectors: read, changed and written in one transaction, encoded outside of it.

A write is a function that runs inside the transaction: it reads the rows as they are at that
moment, and writes them. If it needs vectors that are not computed yet, the transaction is
rolled back, the network runs while others may write, and the function runs again on the rows as
they are then. So no write rests on a row that another process has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ravl.data import pictures
from ravl.data.pictures import Picture
from ravl.encoders.base import Array
from ravl.errors import DataError, PictureError, RowNotFoundError
from ravl.memory.folder_scan import stamp_of
from ravl.store.collection import Collection
from ravl.store.contract import Store, Trash
from ravl.store.row import Computed, Row, unwritable
from ravl.threads import cores

T = TypeVar("T")


class _NotEncodedYet(Exception):
    """Rolls the transaction back, so that the network can run outside of it."""


class Write:
    """One write under way; see :func:`write`.

    Args:
        memory: that is written to.

    Attributes:
        version: the number of the version that this write made; None while it has changed nothing.
    """

    def __init__(self, memory: Collection) -> None:
        self._memory = memory
        self.store: Store = memory.store
        self.version: int | None = None
        self._space = -1  # whose encoder made the following
        self._texts: dict[str, Array] = {}
        self._pictures: dict[str, tuple[Array, Array] | PictureError] = {}
        self._missing_texts: dict[str, None] = {}
        self._missing_pictures: dict[str, tuple[Row, Picture | None]] = {}

    def find(self, ids: Iterable[str]) -> dict[str, Row]:
        """Rows as they are at this moment, by their ids, in the order of these.

        Raises:
            RowNotFoundError: one of them is not there.
        """
        wanted = list(dict.fromkeys(ids))
        found = self.store.rows.find(wanted)
        for id in wanted:
            if id not in found:
                raise RowNotFoundError(f"There is no row {id!r} in {self._memory.path}.")
        return {id: found[id] for id in wanted}

    def begin(self, what: str) -> int:
        """Open the version of this write, if it is not open; returns its number."""
        if self.version is None:
            self.version = self.store.history.begin(what)
        return self.version

    def put(self, row: Row, what: str) -> bool:
        """Write a row in place of the one that :meth:`find` gave, where it differs.

        Args:
            row: in its new form; its id and picture stay.
            what: is done, for the history.

        Returns:
            Whether it differs.

        Raises:
            DataError: the memory cannot store it.
        """
        old = self.store.rows.get([row.number]).get(row.number)
        if row == old:
            return False
        if flaw := unwritable(row):
            raise DataError(f"The row {row.id!r} cannot be changed so. {flaw}")
        changed = old is None or row.texts != old.texts
        vectors = self.text_vectors(row.texts) if changed else None
        self.store.rows.put(self.begin(what), row, Computed(text_vectors=vectors))
        return True

    def trash(self, row: Row, what: str) -> None:
        """Move a row to the trash; the next sync leaves it there."""
        self.store.trash.move(self.begin(what), row)
        stamp = stamp_of(row.path) if row.path is not None else None
        if row.path is not None and stamp is not None:
            self.store.folders.remember({row.path: stamp})

    def bring_back(self, trash: Trash, row: Row, new: Row, what: str) -> PictureError | None:
        """Bring a row back that was taken out; what another encoder made of it is made anew.

        Args:
            trash: where it is.
            row: as it is there.
            new: in its new form.
            what: is done, for the history.

        Returns:
            Why its picture cannot be encoded; then the row stays where it is.
        """
        kept = trash.computed(row)
        if kept.text_vectors is None or new.texts != row.texts:
            kept = replace(kept, text_vectors=self.text_vectors(new.texts))
        if row.hash is not None and kept.vector is None:
            pair = self.picture_vectors(replace(row, path=new.path), kept.picture)
            if isinstance(pair, PictureError):
                return pair
            kept = replace(kept, feature=pair[0], vector=pair[1])
        trash.restore(self.begin(what), row, new, kept)
        return None

    def text_vectors(self, texts: Sequence[str]) -> Array:
        """The vectors (t, d) of texts; zeros in an attempt that will be rolled back."""
        self._missing_texts |= {text: None for text in texts if text not in self._texts}
        nothing = np.zeros(self.store.spaces.state().dimension, np.float32)
        found = [self._texts.get(text, nothing) for text in texts]
        return np.stack(found) if found else np.zeros((0, len(nothing)), np.float32)

    def picture_vectors(
        self, row: Row, picture: Picture | None
    ) -> tuple[Array, Array] | PictureError:
        """Features (F,) and vector (d,) of a row's picture, or why it cannot be encoded.

        Args:
            row: with the hash of the picture.
            picture: encoded or decoded; None to read its file.
        """
        hash_ = row.hash or ""
        if hash_ not in self._pictures:
            self._missing_pictures[hash_] = row, picture
            nothing = np.zeros(self.store.spaces.state().dimension, np.float32)
            return nothing, nothing
        return self._pictures[hash_]

    def attempt(self, work: Callable[[Write], T]) -> T:
        """Do the work in a transaction, unless vectors are missing."""
        with self.store.transaction():
            self.version = None
            self._keep_vectors_of(self.store.spaces.state().space)
            result = work(self)
            if self._missing_texts or self._missing_pictures:
                raise _NotEncodedYet
        return result

    def encode(self) -> None:
        """Compute the vectors that were missing."""
        with self._memory.snapshot():
            self._keep_vectors_of(self.store.spaces.state().space)
            encoder = self._memory.encoder
        texts = list(self._missing_texts)
        self._texts |= dict(zip(texts, encoder.embed_texts(texts), strict=True))
        self._missing_texts.clear()

        def prepare(wanted: tuple[Row, Picture | None]) -> Array | PictureError:
            row, given = wanted
            try:
                picture = _read(row) if given is None else given
                return encoder.prepare(pictures.decode(picture, hint=encoder.picture_size))
            except PictureError as error:
                return error

        hashes = list(self._missing_pictures)
        for start in range(0, len(hashes), encoder.batch_size):
            some = hashes[start : start + encoder.batch_size]
            with ThreadPoolExecutor(min(4, cores()), "decode") as pool:
                prepared = list(pool.map(prepare, [self._missing_pictures[h] for h in some]))
            seen = {h: p for h, p in zip(some, prepared, strict=True) if isinstance(p, np.ndarray)}
            failed = {h: p for h, p in zip(some, prepared, strict=True) if h not in seen}
            self._pictures |= {h: p for h, p in failed.items() if isinstance(p, PictureError)}
            if seen:
                pairs = zip(*encoder.encode_prepared(list(seen.values())), strict=True)
                self._pictures |= dict(zip(seen, pairs, strict=True))
        self._missing_pictures.clear()

    def _keep_vectors_of(self, space: int) -> None:
        """Forget what another encoder made, since the memory may have been re-embedded."""
        if space != self._space:
            self._space = space
            self._texts.clear()
            self._pictures.clear()


def write(memory: Collection, work: Callable[[Write], T]) -> T:
    """Do some work in one transaction; see above.

    Args:
        memory: to write to.
        work: reads and writes through the :class:`Write` that it is given. It may run several
            times, each time on the rows as they are then; only the last time counts.

    Returns:
        What the work returns.

    Raises:
        MemoryLockedError, MemoryFileError: as :meth:`ravl.store.contract.Store.transaction`.
    """
    under_way = Write(memory)
    while True:
        with suppress(_NotEncodedYet):
            return under_way.attempt(work)
        under_way.encode()


def _read(row: Row) -> bytes:
    """A row's picture file, if it is still the same picture."""
    if row.path is None:
        raise PictureError(f"The picture of the row {row.id!r} was not kept.")
    data = pictures.read_bytes(row.path)
    if pictures.content_hash(data) != row.hash:
        raise PictureError(f"{row.path} is another picture now.")
    return data
