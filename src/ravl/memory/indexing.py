"""Indexing: examples from a source become rows of a memory.

Threads read, hash and decode files while the network encodes the batch before; each batch is one
transaction, so that an interrupted run loses at most the batches under way and the next run
continues where it stopped.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ravl.data import Example, Rejected
from ravl.encoders.base import Encoder
from ravl.memory.example_loader import ExampleLoader, Known, LoadedExample
from ravl.memory.index_report import SHOWN, IndexReport
from ravl.memory.moves import apply_moves, still_possible
from ravl.memory.provenance import Claim
from ravl.memory.rebasing import rebase
from ravl.memory.renames import Deferred, find_renames
from ravl.progress import progress_bar
from ravl.store.collection import Collection
from ravl.store.duplicates import compare_pictures, mark_duplicates
from ravl.store.row import Computed, Row
from ravl.threads import cores

AHEAD = 3  # batches being decoded while one is encoded


class Indexer:
    """Brings the examples of one source into a memory.

    Args:
        memory: to write to.
        name: of the source, for history and quarantine.
        copy: keep a copy of each picture in the memory, so that the file may go.
        max_pixels: pictures with more are set aside.
        dry_run: read and check everything, write nothing.
        reuse_from: another memory with the same encoder, whose vectors are taken over where it has
            the same picture.
        on_write: called for each row that is written, with its id and whether it is new.
        as_read: rows as they were when the source was read, by their ids; other rows are looked up
            when their turn comes. What others have changed since then stays.
        claimant: the source's name for :mod:`ravl.memory.provenance`: what it says replaces what it
            said before. None to keep no record of it.
        label_stays: whether a row keeps its label the first time that this source names it; if not
            given, no row does.
    """

    def __init__(
        self,
        memory: Collection,
        name: str,
        *,
        copy: bool,
        max_pixels: int,
        dry_run: bool,
        reuse_from: Collection | None = None,
        on_write: Callable[[str, bool], object] | None = None,
        as_read: Mapping[str, Row] | None = None,
        claimant: str | None = None,
        label_stays: Callable[[Row], bool] | None = None,
    ) -> None:
        self._memory = memory
        self._name = name
        # A folder's quarantine is the same one, however its path was written.
        self._source = str(Path(name).resolve()) if Path(name).exists() else name
        self._version: int | None = None
        self._started = ""  # by the time of the quarantine
        self._encoder: Encoder = memory.encoder
        self._loader = ExampleLoader(
            self._encoder,
            copy=copy,
            max_pixels=max_pixels,
            claims=claimant is not None,
            label_stays=label_stays,
            reuse_from=reuse_from,
        )
        self._on_write = on_write
        self._as_read = as_read or {}
        self._claimant = claimant
        self._numbered = re.compile(rf"{re.escape(Path(name).name)}:\d+$")
        self._deferred: list[Deferred] = []
        self.report = IndexReport(dry_run=dry_run)

    def run(
        self,
        source: Iterable[Example | Rejected],
        total: Callable[[], int | None],
        show: bool | None,
    ) -> IndexReport:
        """Index everything; ``total`` tells how much that is, once the source knows."""
        began = time.monotonic()
        self._started = self._memory.store.quarantine.moment(self._source)
        if not self.report.dry_run:
            self._memory.store.words.renew()
        with (
            ThreadPoolExecutor(min(4, cores()), "decode") as pool,
            progress_bar("Indexing", "pictures", show) as advance,
        ):
            try:
                for items in (source, self._following_renames()):
                    for batch in self._loaded(items, pool):
                        self._finish(batch)
                        advance(sum(not isinstance(i, Deferred) for i in batch), total())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if not self.report.dry_run:
            store = self._memory.store
            compared = compare_pictures(store)
            with store.transaction():
                self.report.duplicates = mark_duplicates(store, compared)
                # What an earlier run of this source set aside and this one did not is well now.
                store.quarantine.clear(self._source, self._started)
        self.report.seconds = time.monotonic() - began
        return self.report

    def _following_renames(self) -> Iterator[Example]:
        """The deferred examples, once the rows of renamed pictures have followed them."""
        deferred, self._deferred, self._loader.hashes = self._deferred, [], set()
        if not deferred:
            return
        store, report = self._memory.store, self.report
        source = Path(self._source)
        root = source if source.is_dir() else source.parent
        renames = find_renames(self._memory, deferred, root)
        moves, removed = renames.moves, renames.removed
        if moves and not report.dry_run:
            with store.transaction():
                moves, removed = still_possible(store, moves, removed)
                if moves or removed:
                    apply_moves(store, self._begin(), moves, removed)
        report.renamed = [(move.row.id, move.id) for move in moves]
        report.trashed = [row.id for row in removed]
        moved = {move.path: move.id for move in moves}
        for each in deferred:
            if not (report.dry_run and each.path in moved):
                yield replace(each.example, id=moved.get(each.path, each.example.id))

    def _loaded(
        self, source: Iterable[Example | Rejected], pool: ThreadPoolExecutor
    ) -> Iterator[list[LoadedExample | Rejected | Deferred]]:
        """Batches in the source's order, each read in threads while the ones before are encoded."""
        window: deque[list[Future[LoadedExample | Rejected | Deferred]]] = deque()
        for batch in self._batches(source):
            if batch:
                window.append(self._submit(batch, pool))
            while window and (len(window) > AHEAD or not batch):
                yield [future.result() for future in window.popleft()]

    def _batches(self, source: Iterable[Example | Rejected]) -> Iterator[list[Example | Rejected]]:
        """Batches, and an empty one wherever all that came before must be written first.

        That is at the end, and where an id comes again while its first row is still under way:
        both would be taken for new, and the second would silently replace the first.
        """
        size = self._encoder.batch_size
        recent: deque[str] = deque(maxlen=size * (AHEAD + 1))
        batch: list[Example | Rejected] = []
        for item in source:
            if isinstance(item, Example):
                if item.id in recent:
                    yield from (batch, []) if batch else ([],)
                    batch = []
                    recent.clear()
                recent.append(item.id)
            batch.append(item)
            if len(batch) >= min(size, self._encoder.batch_size):
                yield batch
                batch = []
        yield from (batch, []) if batch else ([],)

    def _submit(
        self, batch: list[Example | Rejected], pool: ThreadPoolExecutor
    ) -> list[Future[LoadedExample | Rejected | Deferred]]:
        """Start reading a batch, knowing what the memory has of it already."""
        store = self._memory.store
        if self._loader.hashes is None and any(
            isinstance(item, Example) and isinstance(item.picture, Path) for item in batch
        ):
            self._loader.hashes = {each.hash for each in store.rows.hashes()}
        ids = [item.id for item in batch if isinstance(item, Example)]
        known = store.rows.find(ids)
        known |= {id: self._as_read[id] for id in ids if id in self._as_read}
        numbers = [row.number for row in known.values()]
        copied = store.rows.copied(numbers)
        # A picture that was away when the memory was re-embedded has no vector.
        seen = store.vectors.rows("vectors", numbers)
        lacking = set(store.vectors.missing(store.spaces.state().space, numbers))
        claims = self._claims(numbers)
        namesakes = self._namesakes(known)
        futures = []
        for item in batch:
            old = known.get(item.id) if isinstance(item, Example) else None
            number = old.number if old is not None else 0
            state = Known(
                old,
                copied=number in copied,
                seen=number in seen,
                lacking=number in lacking,
                last=claims.get(number),
                namesake=namesakes.get(number),
            )
            futures.append(pool.submit(self._loader.load, item, state))
        return futures

    def _claims(self, numbers: Sequence[int]) -> dict[int, Claim]:
        """What this source said last of rows, by their numbers."""
        if self._claimant is None:
            return {}
        records = self._memory.store.claims.of_source(self._claimant, numbers)
        return {number: Claim.from_json(text) for number, text in records.items()}

    def _namesakes(self, known: Mapping[str, Row]) -> dict[int, str]:
        """Other files of the same name that rows with numbered ids are from, by their numbers."""
        numbers = [row.number for id, row in known.items() if self._numbered.search(id)]
        if self._claimant is None or not numbers:
            return {}
        own, found = Path(self._claimant), {}
        for number, sources in self._memory.store.claims.sources(numbers).items():
            others = [Path(source) for source in sources - {self._claimant}]
            same = [str(other) for other in others if other.name == own.name and other.is_file()]
            if same:
                found[number] = same[0]
        return found

    def _finish(self, batch: list[LoadedExample | Rejected | Deferred]) -> None:
        """Encode a batch, write it, count it."""
        rejected = [item for item in batch if isinstance(item, Rejected)]
        loaded = [item for item in batch if isinstance(item, LoadedExample)]
        self._deferred += [item for item in batch if isinstance(item, Deferred)]
        changed = written = [item for item in loaded if item.changes]
        claims = {item.row.id: item.claim for item in loaded if item.claim is not None}
        report = self.report
        if not report.dry_run and (changed or rejected or claims):
            written = self._write(changed, self._compute(changed), rejected, claims)
        report.rejected += len(rejected)
        report.reasons += rejected[: SHOWN - len(report.reasons)]
        report.unchanged += len(loaded) - len(written)
        report.kept += sum(item.kept for item in loaded)
        report.added += sum(item.old is None for item in written)
        report.updated += sum(item.old is not None for item in written)
        report.encoded += sum(item.prepared is not None for item in changed)
        if self._on_write is not None:
            for item in written:
                self._on_write(item.row.id, item.old is None)

    def _compute(self, items: list[LoadedExample]) -> list[Computed]:
        """Run the networks: once for the new pictures of the batch, once for its new texts."""
        seen = [item for item in items if item.prepared is not None]
        prepared = [i.prepared for i in seen if i.prepared is not None]
        looked = zip(*self._encoder.encode_prepared(prepared), strict=True) if seen else iter(())
        new = [i.reused or next(looked) for i in items if i.is_new]
        texts = [t for item in items if item.has_new_texts for t in item.row.texts]
        text_vectors = self._encoder.embed_texts(texts)
        computed, picture, text = [], 0, 0
        for item in items:
            part = Computed(picture=item.picture if self._loader.keeps(item.row) else None)
            if item.is_new:
                feature, vector = new[picture]
                part = replace(part, vector=vector, feature=feature)
                picture += 1
            if item.has_new_texts:
                count = len(item.row.texts)
                part = replace(part, text_vectors=text_vectors[text : text + count])
                text += count
            computed.append(part)
        return computed

    def _write(
        self,
        items: list[LoadedExample],
        computed: list[Computed],
        rejected: list[Rejected],
        claims: Mapping[str, Claim],
    ) -> list[LoadedExample]:
        """Write a batch; returns what of it was written. What others have written stays.

        Args:
            items: that change anything.
            computed: of these.
            rejected: what was set aside.
            claims: what the source says now of rows, by their ids, of the whole batch.
        """
        store = self._memory.store
        written: list[LoadedExample] = []
        gone: dict[str, Rejected] = {}
        with store.transaction():
            self._memory.check_encoder(self._encoder, store.spaces.current())
            there = store.rows.find([item.row.id for item in items])
            for item, part in zip(items, computed, strict=True):
                now_ = there.get(item.row.id)
                row = rebase(item.old, item.row, now_)
                if row is None:
                    gone[item.row.id] = _outrun(item, now_)
                elif item.old is not None or row != now_:  # else somebody has added the same
                    store.rows.put(self._begin(), row, _fitting(part, item.row, row))
                    store.quarantine.release(str(item.row.path))
                    written.append(item)
            store.quarantine.put(self._source, rejected, self._started)
            if self._claimant is not None:
                records = {id: claim.to_json() for id, claim in claims.items() if id not in gone}
                store.claims.put(self._claimant, records)
        rejected += gone.values()  # their files can be read, so they are not in the quarantine
        return written

    def _begin(self) -> int:
        """Number of the version that this run makes; needs a transaction."""
        if self._version is None:
            self._version = self._memory.store.history.begin(f"index {self._name}")
        return self._version


def _fitting(computed: Computed, encoded: Row, row: Row) -> Computed:
    """What of it belongs to the row that is written, whose texts or picture may be others'."""
    if encoded.texts != row.texts:
        computed = replace(computed, text_vectors=None)
    if encoded.hash != row.hash:
        computed = replace(computed, vector=None, feature=None, picture=None)
    return computed


def _outrun(item: LoadedExample, now_: Row | None) -> Rejected:
    """Why an example was not written: another process wrote the row first."""
    id_ = item.row.id
    if now_ is None:
        why = f"The row {id_!r} was deleted while it was being indexed, and stays deleted."
    else:
        why = (
            f"The row {id_!r} got another picture while it was being indexed. That picture stays; "
            "index again if this one is right."
        )
    return Rejected(str(item.row.path or id_), why)
