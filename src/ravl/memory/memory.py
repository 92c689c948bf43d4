"""The memory: rows of pictures, texts and labels, with the vectors that find them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from ravl.data import QA, Example, Rejected, Scalar, pictures, read
from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import SIDES, Array
from ravl.errors import DataError, PictureError, QueryError, RowNotFoundError
from ravl.memory import compacting, exchange, reembedding, syncing, trash
from ravl.memory.compacting import CompactReport, compact
from ravl.memory.editing import edit
from ravl.memory.graphs import LEAST, GraphReport, build_graphs, remove_graphs
from ravl.memory.index_report import IndexReport
from ravl.memory.indexing import Indexer
from ravl.memory.info import Info, describe
from ravl.memory.provenance import source_name
from ravl.memory.reverting import RevertReport, at, diff, revert
from ravl.memory.syncing import SyncReport
from ravl.memory.writing import Write, write
from ravl.retrieval import Hits, Retriever, SearchOptions
from ravl.retrieval.live import Live
from ravl.retrieval.retriever import Many, One
from ravl.store.collection import Collection
from ravl.store.history import Difference, Version
from ravl.store.hubness import check_strength, write_strength
from ravl.store.records import TrashedRow
from ravl.store.row import Row


class Memory(Collection):
    """A searchable memory of pictures in one SQLite file.

    Any number of processes may read one while another writes to it; a change is either there
    completely or not at all, whatever happens to the process or the machine.

    Make one with :meth:`create`, or open one with :meth:`open`; close it, or use ``with``.

    Example:
        >>> with Memory.create("shop.ravl") as memory:
        ...     memory.index("photos/")
        ...     memory.search("a red checked shirt", k=10)
    """

    @cached_property
    def live(self) -> Live:
        """The rows and features that all who answer from this memory share."""
        return Live(self)

    def info(self) -> Info:
        """Counts, sizes, encoder, and what is missing."""
        return describe(self)

    def history(self, id: str | None = None, limit: int = 100) -> list[Version]:
        """The newest versions first: who did what and when, and how many rows it touched.

        Args:
            id: only what touched this row.
            limit: at most so many.
        """
        return self.store.history.versions(id, limit)

    def diff(self, old: int, new: int | None = None) -> list[Difference]:
        """What became of rows between two versions, in what users put in.

        Args:
            old, new: numbers of versions, 0 for the empty memory; None for the present memory.

        Raises:
            QueryError: there is no such version.
        """
        return diff(self, old, new)

    def index(
        self,
        source: str | Path,
        *,
        copy: bool = False,
        prefix: str = "",
        max_pixels: int = pictures.MAX_PIXELS,
        dry_run: bool = False,
        progress: bool | None = None,
        reuse_from: Memory | None = None,
        **options: Any,
    ) -> IndexReport:
        """Bring in a folder, table or dataset; what is there unchanged is skipped.

        Safe to interrupt and to repeat: it continues where it stopped.

        Args:
            source: see :func:`ravl.data.read`.
            copy: keep a copy of each picture in the memory, so that the file may go.
            prefix: put before every id, to keep sources with equal names apart.
            max_pixels: pictures with more are set aside.
            dry_run: read and check everything, change nothing.
            progress: show a bar; None shows it on a terminal.
            reuse_from: another memory with the same encoder; vectors of pictures that it has are
                copied from it.
            **options: of the reader, for example ``columns`` or ``captions``.

        Raises:
            DataError: the source as a whole cannot be read.
            MemoryLockedError, MemoryFileError: another writer stays, or the disk is full.
        """
        data = read(source, **options)
        examples = (_prefixed(item, prefix) for item in data)
        indexer = Indexer(
            self,
            data.name,
            copy=copy,
            max_pixels=max_pixels,
            dry_run=dry_run,
            reuse_from=reuse_from,
            claimant=source_name(data.name, options.get("captions")),
        )
        report = indexer.run(examples, lambda: data.total, progress)
        report.skipped = dict(getattr(data, "skipped", {}))
        return report

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

        Only these fields are written: changes of other fields by other processes stay.

        ``label=""`` and empty lists erase; ``columns`` are merged, and None erases one.

        Raises:
            RowNotFoundError: there is no such row.
            DataError: the memory cannot store a value.
        """
        new_texts = None if texts is None else _strings("texts", texts)
        new_tags = None if tags is None else _strings("tags", tags)

        def change(row: Row) -> Row:
            kept = {**row.columns, **(columns or {})}
            return replace(
                row,
                texts=row.texts if new_texts is None else new_texts,
                label=row.label if label is None else label or None,
                tags=row.tags if new_tags is None else new_tags,
                qa=row.qa if qa is None else tuple(qa),
                columns={k: v for k, v in kept.items() if v is not None},
            )

        return edit(self, f"update {id}", {id: change}).rows[id]

    def update_columns(self, columns: Mapping[str, Mapping[str, Scalar]], what: str) -> int:
        """Merge columns into many rows at once, as one version; returns how many rows changed.

        Args:
            columns: of each row, by its id; None erases one. Rows that are not there are left out.
            what: was done, for the history.

        Raises:
            DataError: the memory cannot store a value; then nothing is changed.
        """

        def work(under_way: Write) -> int:
            count = 0
            for id, old in self.store.rows.find(columns).items():
                kept = {**old.columns, **columns[id]}
                new = replace(old, columns={k: v for k, v in kept.items() if v is not None})
                count += under_way.put(new, what)
            return count

        return write(self, work)

    def delete(self, ids: Iterable[str] = (), *, where: str | None = None) -> int:
        """Delete rows by id, or all that a filter lets through; returns how many.

        Picture files are never touched. :meth:`revert` brings the rows back, with their vectors and
        with pictures that the memory keeps itself, until :meth:`compact` forgets them.

        Raises:
            RowNotFoundError: one of the ids is not there; then nothing is deleted.
            QueryError: neither ids nor a filter were given.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        if not wanted and where is None:
            raise QueryError("Say which rows to delete: ids, or where=... for a filter.")
        with self.store.transaction():
            named = self.store.rows.find(wanted)
            missing = [id for id in wanted if id not in named]
            if missing:
                raise RowNotFoundError(f"There is no row {missing[0]!r} in {self.path}.")
            found = {row.number: row for row in named.values()}
            if where is not None:
                found |= {row.number: row for row in self.rows(where)}
            if found:
                ids = [row.id for row in found.values()]
                version = self.store.history.begin(f"delete {compacting.named(ids)}")
                for row in found.values():
                    self.store.deleted.move(version, row)
        return len(found)

    def sync(self, *folders: str | Path, **options: Any) -> SyncReport:
        """Bring the memory up to date with folders of pictures that it follows.

        New pictures are indexed as :meth:`index` does, changed ones are encoded again, renamed ones
        are recognised by their content, and rows whose picture is gone go to the trash. Files that
        were not touched are not opened. Safe to interrupt and to repeat.

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

    def trashed(self) -> list[TrashedRow]:
        """Rows in the trash, the newest first."""
        return self.store.trash.entries()

    def restore(self, ids: Iterable[str] | None = None) -> list[str]:
        """Bring rows back from the trash; see :func:`ravl.memory.trash.restore`."""
        return trash.restore(self, ids)

    def empty_trash(self, ids: Iterable[str] | None = None) -> int:
        """Forget what is in the trash; see :func:`ravl.memory.trash.empty`."""
        return trash.empty(self, ids)

    def revert(self, version: int) -> RevertReport:
        """Make the memory like it was at a version, as a new version.

        Rows that were changed get their old fields back, later rows are deleted, and deleted rows
        are restored with their vectors, and with their pictures if the memory keeps these. A row
        cannot be restored if another row has its id, if its picture must be encoded again and
        cannot be read, or if it was compacted away; the report names the first two. A picture that
        was replaced by another one stays replaced.

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
        out of the history and off the disk as well. Rows in the trash stay until it is emptied.
        Exports, runs and the feedback of a server are files of their own, and are not touched.

        Raises:
            MemoryLockedError, MemoryFileError: another writer stays, or the disk is full: as much
                room as the file has is needed for a moment.
        """
        return compact(self)

    def forget(self, ids: Iterable[str]) -> int:
        """Delete rows and erase all that the file has of them; see :func:`compacting.forget`."""
        return compacting.forget(self, [ids] if isinstance(ids, str) else ids)

    def build_graphs(self, least: int = LEAST) -> list[GraphReport]:
        """Build the approximate index beside the memory, or bring it up to date.

        Searches without a filter look into it where there are at least ``least`` vectors, and their
        hits say so (``Hits.exact``). Rows that are added, changed or deleted later count at once.
        Takes some minutes for a million vectors; see :mod:`ravl.store.graph`.

        Args:
            least: vectors from which searches use it; with fewer they compare all.

        Returns:
            What was built, with the share of true neighbours that searches find.

        Raises:
            DataError: the package usearch is not installed.
        """
        return build_graphs(self, least)

    def remove_graphs(self) -> int:
        """Delete the approximate index; returns how many files it had. Searches are exact then."""
        return remove_graphs(self)

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

        Safe to interrupt: the same call continues where it stopped.

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
        with self._lock, self.snapshot():
            number = self.store.spaces.state().space
            self._encoders[number], self._compared[number] = network, set(SIDES)
        return report

    @overload
    def search(
        self, query: One | None = None, k: int = 10, **options: Unpack[SearchOptions]
    ) -> Hits: ...

    @overload
    def search(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[SearchOptions],
    ) -> list[Hits]: ...

    @overload
    def search(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: bool,
        **options: Unpack[SearchOptions],
    ) -> list[Hits | PictureError]: ...

    def search(
        self,
        query: One | Many | None = None,
        k: int = 10,
        *,
        return_exceptions: bool = False,
        **options: Unpack[SearchOptions],
    ) -> Hits | list[Hits] | list[Hits | PictureError]:
        """The k best rows for a text, a picture, or both; see :meth:`Retriever.search`."""
        if isinstance(query, list | tuple):
            return Retriever(self).search(query, k, return_exceptions=return_exceptions, **options)
        return Retriever(self).search(query, k, **options)

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
        with self.store.transaction():
            write_strength(self.store, strength)
            for kind in kinds:
                self._hubs[kind].keep()


def _prefixed(item: Example | Rejected, prefix: str) -> Example | Rejected:
    return replace(item, id=prefix + item.id) if prefix and isinstance(item, Example) else item


def _strings(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(v, str) for v in values):
        raise DataError(f"{name} must be a list of texts, not {values!r}.")
    return tuple(values)
