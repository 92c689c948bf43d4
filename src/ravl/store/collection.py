"""A collection: what a store keeps, read together with the encoder that made its vectors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from ravl.data import Rejected, pictures
from ravl.encoders import Encoder, load_encoder, loadable
from ravl.encoders.base import SIDES, Array, Side
from ravl.errors import (
    EncoderMismatchError,
    MemoryExistsError,
    PictureError,
    RowNotFoundError,
)
from ravl.store.contract import Store
from ravl.store.graph import Graph
from ravl.store.graph_file import NAMES, GraphCache
from ravl.store.hubness import HubCache, read_strength
from ravl.store.row import Row
from ravl.store.space import Kind, Space, space_encoder
from ravl.store.sqlite import SqliteStore
from ravl.store.top_k import Positions
from ravl.store.vectors import VectorCache, Vectors

FILTERS_KEPT = 16


class Collection:
    """What searches and models read: rows, pictures and vectors, and the encoder of these.

    :class:`ravl.memory.Memory` is a collection that can also be changed and searched.
    """

    def __init__(self, store: Store, encoder: Encoder | None = None) -> None:
        self.store = store
        self.path = store.path
        self._offered = [encoder] if encoder is not None else []  # by the caller
        self._encoders: dict[int, Encoder] = {}  # by their space; a snapshot may see an older one
        self._compared: dict[int, set[Side]] = {}  # with the space's fingerprint
        self._filters: dict[str, tuple[int, Positions]] = {}  # answers, and at which change
        self._lock = threading.RLock()

    @classmethod
    def create(
        cls, path: str | Path, encoder: str | Encoder = "builtin", timeout: float = 30.0
    ) -> Self:
        """A new, empty memory.

        Args:
            path: of its file, by custom ending in ``.ravl``; must not exist.
            encoder: ``"builtin"``, ``"multilingual"``, ``"hf:NAME"``, ``"run:FOLDER"``, or an
                encoder; see :func:`ravl.encoders.load_encoder`.
            timeout: seconds to wait when another process is writing.

        Raises:
            MemoryExistsError: the file is there already.
            MemoryFileError: it cannot be made there.
            EncoderError: there is no such encoder, or it cannot be loaded.
        """
        network = load_encoder(encoder) if isinstance(encoder, str) else encoder
        fingerprint = network.fingerprint  # before the file is made: this is what can fail
        return cls(SqliteStore.create(Path(path), fingerprint, network.state(), timeout), network)

    @classmethod
    def open(
        cls,
        path: str | Path,
        encoder: Encoder | None = None,
        timeout: float = 30.0,
        *,
        folder: Path | None = None,
    ) -> Self:
        """The memory in that file.

        Args:
            path: of its file.
            encoder: use this one instead of loading the one that the memory names; for a trained
                encoder, whose heads the memory keeps, its base will do.
            timeout: seconds to wait when another process is writing.
            folder: that relative paths of pictures begin at; None for the folder of the file.

        Raises:
            MemoryFileError: there is no such file, it is not a memory, or a newer ravl made it.
            EncoderMismatchError: ``encoder`` computes something else than the memory's.
        """
        collection = cls(SqliteStore(Path(path), timeout, folder), encoder)
        if encoder is not None:
            try:
                with collection.snapshot():
                    space = collection.store.spaces.current()
                    state = collection.store.spaces.encoder_state(space.number)
                    collection._offered = [
                        space_encoder(space, state, encoder, f"The memory {path}")
                    ]
                collection.check_encoder(collection._offered[0], space)
            except BaseException:
                collection.close()
                raise
        return collection

    @classmethod
    def open_or_create(
        cls, path: str | Path, encoder: str | Encoder | None = None, timeout: float = 30.0
    ) -> Self:
        """The memory in that file, which is made if it is not there.

        Several processes may do so at once: one makes it, the others open it.

        Args:
            path: of its file.
            encoder: as for :meth:`create`; None for the memory's own, ``"builtin"`` for a new one.
            timeout: seconds to wait when another process is writing.

        Raises:
            MemoryFileError, EncoderError, EncoderMismatchError: as :meth:`open` and :meth:`create`.
        """
        if not Path(path).exists():
            with suppress(MemoryExistsError):
                return cls.create(path, encoder or "builtin", timeout)
        network = load_encoder(encoder) if isinstance(encoder, str) else encoder
        return cls.open(path, network, timeout)

    def remove_if_unused(self) -> bool:
        """Remove the file if nothing was ever written to this memory; returns whether it was.

        No change of another process is lost: a change that comes later is refused.
        """
        return self.store.remove_if_unused()

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {len(self):,} rows)"

    @property
    def folder(self) -> Path:
        """Where the memory's file is; pictures below it are remembered relative to it."""
        return self.store.folder

    @property
    def encoder(self) -> Encoder:
        """The encoder that made the memory's vectors; loaded when it is first needed.

        Raises:
            EncoderError: it cannot be loaded.
            EncoderMismatchError: what is loaded under its name computes something else.
        """
        return self.encoder_for(*SIDES)

    def encoder_for(self, *sides: Side) -> Encoder:
        """The same, for work on these sides only: the other network is not loaded to be compared.

        Args:
            *sides: ``"pictures"``, ``"texts"``, both, or none for what needs no network.

        Raises:
            EncoderError, EncoderMismatchError: as :attr:`encoder`.
        """
        with self._lock, self.snapshot():
            number = self.store.spaces.state().space
            if number not in self._encoders:
                found = self._find_encoder(self.store.spaces.current(), sides)
                self._encoders = {n: self._encoders[n] for n in [*self._encoders][-1:]}
                self._encoders[number] = found
                self._compared[number] = set(sides)
            elif missing := [side for side in sides if side not in self._compared[number]]:
                space = self.store.spaces.current()
                self.check_encoder(self._encoders[number], space, missing)
                self._compared[number].update(missing)
            return self._encoders[number]

    def _find_encoder(self, space: Space, sides: Sequence[Side]) -> Encoder:
        """The encoder of a space: one that the caller gave, or else the one that it names."""
        for offered in self._offered:
            if offered.is_compatible(space.fingerprint):
                return offered
        if self._offered:
            encoder = self._offered[-1]
        else:
            state = self.store.spaces.encoder_state(space.number)
            encoder = space_encoder(space, state, found_in=f"The memory {self.path}")
        self.check_encoder(encoder, space, sides)
        return encoder

    def check_encoder(self, encoder: Encoder, space: Space, sides: Sequence[Side] = SIDES) -> None:
        """Refuse an encoder whose vectors cannot be compared with the memory's.

        Raises:
            EncoderMismatchError: says what was found and how to re-embed.
        """
        if not encoder.is_compatible(space.fingerprint, sides):
            raise EncoderMismatchError(
                f"The vectors in {self.path} were made by {space.fingerprint.spec!r} "
                f"({space.fingerprint.digest}); {encoder.spec!r} as it is here computes others "
                f"({encoder.fingerprint.digest}: other weights, or other preprocessing). Use the "
                "encoder that made them, or run: "
                f"ravl reembed {self.path} --encoder {loadable(encoder.spec)}"
            )

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[Row]:
        return self.rows()

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self.store.rows.find([id]))

    def get(self, id: str) -> Row:
        """The row with that id.

        Raises:
            RowNotFoundError: there is none.
        """
        row = self.store.rows.find([id]).get(id)
        if row is None:
            raise RowNotFoundError(f"There is no row {id!r} in {self.path}.")
        return row

    def rows(self, where: str | None = None, after: int = 0) -> Iterator[Row]:
        """All rows, or those that a filter lets through, oldest first; a page in memory at a time.

        Args:
            where: such as ``price < 40 and tags has "red"``; see :mod:`ravl.store.filters`.
            after: number of a row; only those that were added later.

        Raises:
            FilterError: the filter does not parse or names an unknown column.
        """
        return self.store.rows.iterate(where, after)

    def count(self, where: str | None = None) -> int:
        """How many rows there are, or a filter lets through."""
        return self.store.rows.count(where)

    @property
    def version(self) -> int:
        """The number of the newest version; 0 before the first."""
        return self.store.history.newest()

    def rows_by_picture_hash(self) -> dict[str, int]:
        """Row number of each picture that has features, by the hash of its file."""
        with self.snapshot():
            encoded = self.store.vectors.rows("features")
            return {h.hash: h.row for h in self.store.rows.hashes() if h.row in encoded}

    def row_with_vectors(self, number: int) -> tuple[Row, Array, Array]:
        """A row by its number, and its picture's features (F,) and vector (d,)."""
        with self.snapshot():
            features = self.store.vectors.read("features", [number])[number]
            vector = self.store.vectors.read("vectors", [number])[number]
            return self.store.rows.get([number])[number], features, vector

    def quarantine(self) -> list[Rejected]:
        """What could not be read in the last run of each source, and why."""
        return self.store.quarantine.entries()

    def picture(self, row: Row | str, hint: int | None = None) -> Image.Image:
        """A row's picture, RGB and upright.

        Args:
            row: the row or its id.
            hint: see :func:`ravl.data.pictures.decode`.

        Raises:
            PictureError: the file is gone, damaged, or another one than was indexed, or the row
                has no picture.
            RowNotFoundError: there is no such row.
        """
        return pictures.decode(self.picture_bytes(row), hint=hint)

    def picture_bytes(self, row: Row | str) -> bytes:
        """A row's picture as it was encoded; raises as :meth:`picture` does."""
        row = self.get(row) if isinstance(row, str) else row
        copied = self.copied_picture(row)
        if copied is not None:
            if pictures.content_hash(copied) != row.hash:
                raise PictureError(
                    f"The copy of {row.id!r} in {self.path} is damaged: it is not the picture that "
                    "was indexed. Index the picture again."
                )
            return copied
        if row.path is None:
            raise PictureError(f"The row {row.id!r} has no picture.")
        data = pictures.read_bytes(row.path)
        # Nor does a memory that somebody else made show any file that it names.
        if pictures.content_hash(data) != row.hash:
            raise PictureError(
                f"{row.path} is not the picture that was indexed as {row.id!r} any more. Bring the "
                "memory up to date: ravl sync, or ravl index."
            )
        return data

    def copied_picture(self, row: Row) -> bytes | None:
        """The copy of a row's picture in the memory, None where it is kept by reference."""
        return self.store.rows.picture(row.number)

    def vectors(self, kind: str = "vectors") -> Vectors:
        """The current vectors of the pictures, or of the texts (``"text_vectors"``)."""
        cache = self._pictures if kind == "vectors" else self._texts
        with self.snapshot():
            return cache.read(self.store.spaces.state())

    def graph(self, kind: Kind, vectors: Vectors) -> Graph | None:
        """The approximate index for some vectors, None where all are to be compared."""
        with self.snapshot():
            return self._graphs[kind].read(vectors.space, len(vectors.keys))

    @property
    def hubness(self) -> float:
        """Strength of the correction for hubs, 0 for none; see :mod:`ravl.store.hubness`."""
        with self.snapshot():
            return read_strength(self.store)

    def hub_scores(self, kind: str = "vectors", items: Vectors | None = None) -> Array:
        """How much of a hub each picture, or text, is, (n,); see :func:`ravl.store.hubness.hubs`.

        Args:
            kind: as for :meth:`vectors`, with which the answer is aligned.
            items: what that returned before, to be aligned with it whatever has changed since.
        """
        other = "text_vectors" if kind == "vectors" else "vectors"
        with self.snapshot():
            items = self.vectors(kind) if items is None else items
            return self._hubs[kind].read(items, self.vectors(other))

    def matching(self, where: str) -> Positions:
        """Numbers of the rows that a filter lets through, ascending, (m,).

        The last few filters' answers are kept until a row changes: pages of results, and servers,
        ask the same filter again and again.
        """
        with self.snapshot():
            change = self.store.history.newest_change()
            with self._lock:
                known = self._filters.get(where)
            if known is None or known[0] != change:
                known = change, self.store.rows.matching(where)
                with self._lock:
                    self._filters.pop(where, None)
                    self._filters[where] = known
                    while len(self._filters) > FILTERS_KEPT:
                        self._filters.pop(next(iter(self._filters)))
            return known[1]

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside belongs to one moment."""
        return self.store.snapshot()

    @cached_property
    def _pictures(self) -> VectorCache:
        return VectorCache(self.store, "vectors")

    @cached_property
    def _texts(self) -> VectorCache:
        return VectorCache(self.store, "text_vectors")

    @cached_property
    def _graphs(self) -> dict[Kind, GraphCache]:
        return {kind: GraphCache(self.store, kind) for kind in NAMES}

    @cached_property
    def _hubs(self) -> dict[str, HubCache]:
        kinds: tuple[Kind, Kind] = ("vectors", "text_vectors")
        return {kind: HubCache(self.store, kind) for kind in kinds}
