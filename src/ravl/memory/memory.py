"""The memory: rows of pictures, texts and labels, with the vectors that find them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

import numpy as np
from PIL import Image

from ravl.data import QA, Example, Rejected, Scalar, pictures, read
from ravl.encoders import Encoder, load_encoder, loadable
from ravl.encoders.base import Array
from ravl.errors import DataError, EncoderMismatchError, PictureError, QueryError, RowNotFoundError
from ravl.store import exchange, history, reembedding, syncing
from ravl.store import rows as store
from ravl.store import trash as bin
from ravl.store.compacting import CompactReport, compact
from ravl.store.editing import edit
from ravl.store.filters import compile_filter, matching_rows
from ravl.store.history import Difference
from ravl.store.hubness import HubCache, check_strength, read_strength, write_strength
from ravl.store.indexing import Indexer, IndexReport
from ravl.store.info import Info, describe
from ravl.store.reverting import RevertReport, at, diff, revert
from ravl.store.row import Row, unwritable
from ravl.store.spaces import (
    Space,
    current_space,
    make_space,
    newest_change,
    position,
    read_vectors,
    space_encoder,
    table_name,
)
from ravl.store.sqlite import Database
from ravl.store.syncing import SyncReport
from ravl.store.top_k import Positions
from ravl.store.vectors import VectorCache, Vectors

if TYPE_CHECKING:
    from ravl.retrieval import Hits, SearchOptions
    from ravl.retrieval.retriever import Many, One

Picture = Path | bytes | Image.Image
FILTERS_KEPT = 16


class Memory:
    """A searchable memory of pictures in one SQLite file.

    Any number of processes may read one while another writes to it; a change is either there
    completely or not at all, whatever happens to the process or the machine.

    Make one with :meth:`create`, or open one with :meth:`open`; close it, or use ``with``.

    Example:
        >>> with Memory.create("shop.ravl") as memory:
        ...     memory.index("photos/")
        ...     memory.search("a red checked shirt", k=10)
    """

    def __init__(self, database: Database, encoder: Encoder | None = None) -> None:
        self.database = database
        self.path = database.path.resolve()
        self._offered = [encoder] if encoder is not None else []  # by the caller
        self._encoders: dict[int, Encoder] = {}  # by their space; a snapshot may see an older one
        self._filters: dict[str, tuple[int, Positions]] = {}  # answers, and at which change
        self._lock = threading.RLock()

    @classmethod
    def create(
        cls, path: str | Path, encoder: str | Encoder = "builtin", timeout: float = 30.0
    ) -> Memory:
        """A new, empty memory.

        Args:
            path: of its file, by custom ending in ``.ravl``; must not exist.
            encoder: ``"builtin"``, ``"multilingual"``, ``"hf:NAME"``, ``"run:FOLDER"``, or an
                encoder; see :func:`ravl.encoders.load_encoder`.
            timeout: seconds to wait when another process is writing.

        Raises:
            MemoryFileError: the file exists, or cannot be made there.
            EncoderError: there is no such encoder, or it cannot be loaded.
        """
        network = load_encoder(encoder) if isinstance(encoder, str) else encoder
        _ = network.fingerprint  # before the file is made: this is what can fail
        database = Database.create(
            Path(path), lambda connection: make_space(connection, network), timeout
        )
        return cls(database, network)

    @classmethod
    def open(
        cls, path: str | Path, encoder: Encoder | None = None, timeout: float = 30.0
    ) -> Memory:
        """The memory in that file.

        Args:
            path: of its file.
            encoder: use this one instead of loading the one that the memory names; for a trained
                encoder, whose heads the memory keeps, its base will do.
            timeout: seconds to wait when another process is writing.

        Raises:
            MemoryFileError: there is no such file, it is not a memory, or a newer ravl made it.
            EncoderMismatchError: ``encoder`` computes something else than the memory's.
        """
        memory = cls(Database(Path(path), timeout), encoder)
        if encoder is not None:
            try:
                with memory.snapshot() as connection:
                    space = current_space(connection)
                    memory._offered = [space_encoder(connection, space, encoder)]
                memory.check_encoder(memory._offered[0], space)
            except BaseException:
                memory.close()
                raise
        return memory

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

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
        return f"Memory({str(self.path)!r}, {len(self):,} rows)"

    @property
    def folder(self) -> Path:
        """Where the memory's file is; pictures below it are remembered relative to it."""
        return self.path.parent

    @property
    def encoder(self) -> Encoder:
        """The encoder that made the memory's vectors; loaded when it is first needed.

        Raises:
            EncoderError: it cannot be loaded.
            EncoderMismatchError: what is loaded under its name computes something else.
        """
        with self._lock, self.snapshot() as connection:
            number = position(connection)[0]
            if number not in self._encoders:
                found = self._find_encoder(connection, current_space(connection))
                self._encoders = {n: self._encoders[n] for n in [*self._encoders][-1:]}
                self._encoders[number] = found
            return self._encoders[number]

    def _find_encoder(self, connection: sqlite3.Connection, space: Space) -> Encoder:
        """The encoder of a space: one that the caller gave, or else the one that it names."""
        for offered in self._offered:
            if offered.made(space.fingerprint):
                return offered
        encoder = self._offered[-1] if self._offered else space_encoder(connection, space)
        self.check_encoder(encoder, space)
        return encoder

    def check_encoder(self, encoder: Encoder, space: Space) -> None:
        """Refuse an encoder whose vectors cannot be compared with the memory's.

        Raises:
            EncoderMismatchError: says what was found and how to re-embed.
        """
        if not encoder.made(space.fingerprint):
            raise EncoderMismatchError(
                f"The vectors in {self.path} were made by {space.fingerprint.spec!r} "
                f"({space.fingerprint.digest}); {encoder.spec!r} as it is here computes others "
                f"({encoder.fingerprint.digest}: other weights, or other preprocessing). Use the "
                "encoder that made them, or run: "
                f"ravl reembed {self.path} --encoder {loadable(encoder.spec)}"
            )

    # --- what is in it ---------------------------------------------------------------------

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[Row]:
        return self.rows()

    def __contains__(self, id: object) -> bool:
        found = self.database.connection.execute("SELECT 1 FROM rows WHERE id = ?", (id,))
        return found.fetchone() is not None

    def get(self, id: str) -> Row:
        """The row with that id.

        Raises:
            RowNotFoundError: there is none.
        """
        row = store.find_rows(self.database.connection, [id], self.folder).get(id)
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
        connection = self.database.connection
        sql, values = self._compile(where)
        return store.iterate_rows(connection, self.folder, sql, values, after=after)

    def count(self, where: str | None = None) -> int:
        """How many rows there are, or a filter lets through."""
        sql, values = self._compile(where)
        found = self.database.connection.execute(f"SELECT count(*) FROM rows WHERE {sql}", values)
        return int(found.fetchone()[0])

    def info(self) -> Info:
        """Counts, sizes, encoder, and what is missing."""
        return describe(self)

    @property
    def version(self) -> int:
        """The number of the newest version; 0 before the first."""
        with self.snapshot() as connection:
            return history.newest(connection)

    def history(self, id: str | None = None, limit: int = 100) -> list[history.Version]:
        """The newest versions first: who did what and when, and how many rows it touched.

        Args:
            id: only what touched this row.
            limit: at most so many.
        """
        return history.versions(self.database.connection, id, limit)

    def diff(self, old: int, new: int | None = None) -> list[Difference]:
        """What became of rows between two versions, in what users put in.

        Args:
            old, new: numbers of versions, 0 for the empty memory; None for as it is now.

        Raises:
            QueryError: there is no such version.
        """
        return diff(self, old, new)

    def looked_at(self) -> dict[str, int]:
        """Row number of each picture that has features, by the hash of its file."""
        with self.snapshot() as connection:
            features = table_name("features", position(connection)[0])
            return dict(
                connection.execute(
                    f"SELECT hash, row FROM rows WHERE row IN (SELECT key FROM {features})"
                )
            )

    def looked(self, number: int) -> tuple[Row, Array, Array]:
        """A row by its number, and its picture's features (F,) and vector (d,)."""
        with self.snapshot() as connection:
            space = position(connection)[0]
            row = store.get_rows(connection, [number], self.folder)[number]
            features, vectors = (
                read_vectors(connection, kind, space, [number])[number]
                for kind in ("features", "vectors")
            )
            return row, features, vectors

    def quarantine(self) -> list[Rejected]:
        """What could not be read in the last run of each source, and why."""
        found = self.database.connection.execute("SELECT place, reason FROM quarantine ORDER BY at")
        return [Rejected(place, reason) for place, reason in found]

    # --- pictures --------------------------------------------------------------------------

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
        sql = "SELECT bytes FROM pictures WHERE row = ?"
        found = self.database.connection.execute(sql, (row.number,)).fetchone()
        return found[0] if found else None

    # --- changing it -----------------------------------------------------------------------

    def index(
        self,
        source: str | Path,
        *,
        copy: bool = False,
        prefix: str = "",
        max_pixels: int = pictures.MAX_PIXELS,
        dry_run: bool = False,
        progress: bool | None = None,
        donor: Memory | None = None,
        **options: Any,
    ) -> IndexReport:
        """Bring in a folder, table or dataset; what is there unchanged is skipped.

        Safe to interrupt and to repeat: it goes on where it stopped.

        Args:
            source: see :func:`ravl.data.read`.
            copy: keep a copy of each picture in the memory, so that the file may go.
            prefix: put before every id, to keep sources with equal names apart.
            max_pixels: pictures with more are set aside.
            dry_run: read and check everything, change nothing.
            progress: show a bar; None shows it on a terminal.
            donor: another memory with the same encoder; what it has looked at is taken over.
            **options: of the reader, for example ``columns`` or ``captions``.

        Raises:
            DataError: the source as a whole cannot be read.
            MemoryLockedError, MemoryFileError: another writer stays, or the disk is full.
        """
        data = read(source, **options)
        examples = (_prefixed(item, prefix) for item in data)
        indexer = Indexer(
            self, data.name, copy=copy, max_pixels=max_pixels, dry_run=dry_run, donor=donor
        )
        return indexer.run(examples, lambda: data.total, progress)

    def add(
        self, examples: Iterable[Example], *, copy: bool = False, progress: bool | None = False
    ) -> IndexReport:
        """Add examples, or update the rows that have their ids; see :meth:`index`."""
        indexer = Indexer(self, "Python", copy=copy, max_pixels=pictures.MAX_PIXELS, dry_run=False)
        given = len(examples) if isinstance(examples, Sized) else None
        return indexer.run(examples, lambda: given, progress)

    def update(
        self,
        id: str,
        *,
        texts: Sequence[str] | None = None,
        label: str | None = None,
        tags: Sequence[str] | None = None,
        qa: Sequence[QA] | None = None,
        columns: dict[str, Scalar] | None = None,
    ) -> Row:
        """Change what is known about a row; a field that is None stays.

        ``label=""`` and empty lists erase; ``columns`` are merged, and None erases one.

        Raises:
            RowNotFoundError: there is no such row.
            DataError: a value is none that the memory can keep.
        """
        old = self.get(id)
        kept = {**old.columns, **(columns or {})}
        new = replace(
            old,
            texts=old.texts if texts is None else _strings("texts", texts),
            label=old.label if label is None else label or None,
            tags=old.tags if tags is None else _strings("tags", tags),
            qa=old.qa if qa is None else tuple(qa),
            columns={k: v for k, v in kept.items() if v is not None},
        )
        if new == old:
            return old
        edit(self, f"update {id}", [new])
        return self.get(id)

    def update_columns(self, columns: Mapping[str, Mapping[str, Scalar]], what: str) -> int:
        """Merge columns into many rows at once, as one version; returns how many rows changed.

        Args:
            columns: of each row, by its id; None erases one. Rows that are not there are left out.
            what: was done, for the history.

        Raises:
            DataError: a value is none that the memory can keep; then nothing is changed.
        """
        with self.database.transaction() as connection:
            found = store.find_rows(connection, list(columns), self.folder)
            changed = []
            for id, old in found.items():
                kept = {**old.columns, **columns[id]}
                new = replace(old, columns={k: v for k, v in kept.items() if v is not None})
                if flaw := unwritable(new):
                    raise DataError(f"The row {id!r} cannot be changed so. {flaw}")
                if new != old:
                    changed.append(new)
            if changed:
                version = store.new_version(connection, what)
                space = current_space(connection).number
                for row in changed:
                    store.put_row(connection, version, space, self.folder, row, store.Computed())
        return len(changed)

    def delete(self, ids: Iterable[str] = (), *, where: str | None = None) -> int:
        """Delete rows by id, or all that a filter lets through; returns how many.

        Picture files are never touched.

        Raises:
            RowNotFoundError: one of the ids is not there; then nothing is deleted.
            QueryError: neither ids nor a filter were given.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        if not wanted and where is None:
            raise QueryError("Say which rows to delete: ids, or where=... for a filter.")
        with self.database.transaction() as connection:
            found = store.find_rows(connection, wanted, self.folder)
            missing = [id for id in wanted if id not in found]
            if missing:
                raise RowNotFoundError(f"There is no row {missing[0]!r} in {self.path}.")
            if where is not None:
                found |= {row.id: row for row in self.rows(where)}
            if found:
                version = store.new_version(connection, f"delete {_named(list(found))}")
                for row in found.values():
                    store.delete_row(connection, version, row)
        return len(found)

    def sync(self, *folders: str | Path, **options: Any) -> SyncReport:
        """Bring the memory up to date with folders of pictures that it follows.

        New pictures are indexed as :meth:`index` does, changed ones are looked at again, renamed
        ones are known by their content, and rows whose picture is gone go to the bin. What has not
        been touched is not opened. Safe to interrupt and to repeat.

        Args:
            *folders: to follow; none for all that the memory follows already.
            **options: ``ignore``, patterns as in a ``.gitignore``, of what is left as it is, beside
                those in a file ``.ravlignore`` of the folder; ``folder_labels``, as of
                :func:`ravl.data.read`; ``dry_run``, to change nothing; ``remove_all``, to let all
                pictures of a folder go; ``progress``. The first two are kept for the next time.

        Raises:
            DataError: a folder is not there, is empty though the memory has pictures of it, or
                lies within another.
        """
        return syncing.sync(self, folders, **options)

    def binned(self) -> list[bin.TrashedRow]:
        """Rows in the bin, the newest first."""
        with self.database.transaction() as connection:
            return list(bin.listed(connection, self.folder))

    def restore(self, ids: Iterable[str] | None = None) -> list[str]:
        """Bring rows back from the bin; see :func:`ravl.store.trash.restore`."""
        return bin.restore(self, ids)

    def empty_bin(self, ids: Iterable[str] | None = None) -> int:
        """Forget what is in the bin; see :func:`ravl.store.trash.empty`."""
        return bin.empty(self, ids)

    def revert(self, version: int) -> RevertReport:
        """Make the memory like it was at a version, as a new version.

        Rows that were changed get back what they said, those that came since go, and those that
        went come back: out of the bin, or by looking at their picture again. A picture file that
        is gone or another now cannot be had back, and a deleted row that was compacted away is
        nobody's to remember; what cannot be restored is reported.

        Raises:
            QueryError: there is no such version.
        """
        return revert(self, version)

    @contextmanager
    def at(self, version: int) -> Iterator[Memory]:
        """The memory as it was at a version, to search and to answer from; a copy is made of it.

        What :meth:`revert` cannot bring back is missing from it, too.

        Example:
            >>> with memory.at(41) as then:
            ...     ravl.load("runs/shirts", then).classify("new.jpg")

        Raises:
            QueryError: there is no such version.
            MemoryFileError: there is no room for the copy beside the memory.
        """
        with at(self, version) as (copy, _):
            yield copy

    def compact(self) -> CompactReport:
        """Forget what was deleted: afterwards the file holds nothing of it, and is smaller.

        A deleted row is in no search and no vote from the moment of its deletion; this takes it
        out of the history and off the disk as well. Rows in the bin stay until it is emptied.
        Exports, runs and the feedback of a server are files of their own, and are not touched.

        Raises:
            MemoryLockedError, MemoryFileError: another writer stays, or the disk is full: as much
                room as the file has is needed for a moment.
        """
        return compact(self)

    def merge(self, other: Memory) -> IndexReport:
        """Bring in another memory's rows with their vectors; see :func:`exchange.merge`."""
        return exchange.merge(self, other)

    def export(
        self, folder: str | Path, format: exchange.Format = "jsonl", where: str | None = None
    ) -> exchange.ExportReport:
        """Write rows and pictures to an empty folder; see :func:`exchange.export_rows`."""
        return exchange.export_rows(self, self.rows(where), Path(folder), format)

    def reembed(
        self,
        encoder: str | Encoder,
        progress: bool | None = None,
        known: Mapping[str, Array] | None = None,
    ) -> reembedding.ReembedReport:
        """Give the memory another encoder; searches use the old one until all is done.

        Safe to interrupt: the same call goes on where it stopped.

        Args:
            encoder: the new one, or its name.
            progress: show a bar; None shows it on a terminal.
            known: vectors (d,) of pictures that the new encoder has seen already, by the hash of
                their file.
        """
        network = load_encoder(encoder) if isinstance(encoder, str) else encoder
        if self._offered or not isinstance(encoder, str):
            self._offered.append(network)  # other threads may meet its space before we return
        report = reembedding.reembed(self, network, progress, known)
        with self._lock, self.snapshot() as connection:
            self._encoders[position(connection)[0]] = network
        return report

    # --- finding ---------------------------------------------------------------------------

    @overload
    def search(
        self, query: One | None = None, k: int = 10, **options: Unpack[SearchOptions]
    ) -> Hits: ...

    @overload
    def search(self, query: Many, k: int = 10, **options: Unpack[SearchOptions]) -> list[Hits]: ...

    def search(
        self, query: One | Many | None = None, k: int = 10, **options: Unpack[SearchOptions]
    ) -> Hits | list[Hits]:
        """The k best rows for a text, a picture, or both; see :meth:`Retriever.search`."""
        # The one arrow that points up: `memory.search` is what everybody will type.
        from ravl.retrieval import Retriever

        return Retriever(self).search(query, k, **options)

    def vectors(self, kind: str = "vectors") -> Vectors:
        """The current vectors of the pictures, or of the texts (``"text_vectors"``)."""
        cache = self._pictures if kind == "vectors" else self._texts
        with self.snapshot() as connection:
            return cache.read(connection, *position(connection))

    @property
    def hubness(self) -> float:
        """Strength of the correction for hubs, 0 for none; see :mod:`ravl.store.hubness`."""
        with self.snapshot() as connection:
            return read_strength(connection)

    def set_hubness(self, strength: float) -> None:
        """Correct searches between texts and pictures for hubs, until another encoder comes.

        Args:
            strength: 0 for not at all, up to 2. The best is found with queries whose answers are
                known, and is often about 0.75.

        Raises:
            QueryError: it is out of this range.
        """
        check_strength(strength)
        kinds = ("vectors", "text_vectors") if strength else ()
        for kind in kinds:
            self.hub_scores(kind)
        with self.database.transaction() as connection:
            write_strength(connection, strength)
            for kind in kinds:
                self._hubs[kind].keep(connection)

    def hub_scores(self, kind: str = "vectors", items: Vectors | None = None) -> Array:
        """How much of a hub each picture, or text, is, (n,); see :func:`ravl.store.hubness.hubs`.

        Args:
            kind: as for :meth:`vectors`, with which the answer is aligned.
            items: what that returned before, to be aligned with it whatever has changed since.
        """
        other = "text_vectors" if kind == "vectors" else "vectors"
        with self.snapshot() as connection:
            items = self.vectors(kind) if items is None else items
            return self._hubs[kind].read(connection, items, self.vectors(other))

    def matching(self, where: str) -> Positions:
        """Numbers of the rows that a filter lets through, ascending, (m,).

        The last few filters' answers are kept until a row changes: pages of results, and servers,
        ask the same filter again and again.
        """
        with self.snapshot() as connection:
            change = newest_change(connection)
            with self._lock:
                known = self._filters.get(where)
            if known is None or known[0] != change:
                rows = matching_rows(connection, where, store.column_names(connection))
                known = change, np.array(rows, np.int64)
                with self._lock:
                    self._filters.pop(where, None)
                    self._filters[where] = known
                    while len(self._filters) > FILTERS_KEPT:
                        self._filters.pop(next(iter(self._filters)))
            return known[1]

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """A connection on which everything read belongs to one moment."""
        connection = self.database.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @cached_property
    def _pictures(self) -> VectorCache:
        return VectorCache("vectors")

    @cached_property
    def _texts(self) -> VectorCache:
        return VectorCache("text_vectors")

    @cached_property
    def _hubs(self) -> dict[str, HubCache]:
        return {"vectors": HubCache("vectors"), "text_vectors": HubCache("text_vectors")}

    def _compile(self, where: str | None) -> tuple[str, list[Any]]:
        if where is None:
            return "1", []
        return compile_filter(where, store.column_names(self.database.connection))


def _prefixed(item: Example | Rejected, prefix: str) -> Example | Rejected:
    return replace(item, id=prefix + item.id) if prefix and isinstance(item, Example) else item


def _strings(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(v, str) for v in values):
        raise DataError(f"{name} must be a list of texts, not {values!r}.")
    return tuple(values)


def _named(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids):,} rows"
