"""Indexing: examples from a source become rows of a memory.

Threads read, hash and decode files while the network encodes the batch before; each batch is one
transaction, so that an interrupted run loses at most the batches under way and the next run
continues where it stopped.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from ravl.data import Example, Rejected, pictures
from ravl.encoders.base import Array, Encoder
from ravl.errors import PictureError
from ravl.json_types import JsonObject
from ravl.memory.moves import apply_moves, holds, still_possible
from ravl.memory.provenance import Claim, absolute, merged
from ravl.memory.rebasing import rebase
from ravl.memory.renames import Deferred, find_renames
from ravl.progress import progress_bar
from ravl.store.collection import Collection
from ravl.store.duplicates import DuplicateGroups, mark_duplicates
from ravl.store.row import Computed, Row, unwritable
from ravl.store.space import MOST_TEXTS

AHEAD = 3  # batches being decoded while one is encoded
SHOWN = 1000  # reasons kept in a report; all are in the memory's quarantine


@dataclass
class IndexReport:
    """What an indexing run did.

    Args:
        added, updated, unchanged: rows.
        rejected: how much was set aside; the reasons are in ``reasons`` and in the quarantine.
        reasons: the first thousand of them.
        renamed: old and new id of rows whose picture has another file name now.
        trashed: ids of rows that went to the trash: their file holds the picture of another row
            now, and their own picture is nowhere.
        skipped: how many files of each kind a folder has that are no pictures, or were left out:
            "video", "PDF", "thumbnail".
        duplicates: groups of near-duplicates that the new pictures belong to.
        encoded: pictures that went through the network.
        seconds: the whole run took.
        dry_run: True if nothing was written.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: list[Rejected] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    trashed: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    duplicates: DuplicateGroups = field(default_factory=lambda: DuplicateGroups([]))
    encoded: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def found_nothing(self) -> bool:
        """True if the source gave no row, neither a new nor a known one."""
        return not (self.added or self.updated or self.unchanged or self.renamed)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "trashed": self.trashed,
            "set_aside": self.rejected,
            "skipped": self.skipped,
            "encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "dry_run": self.dry_run,
            "reasons": [r.to_json() for r in self.reasons],
            "near_duplicates": [list(group) for group in self.duplicates.groups],
        }


@dataclass(frozen=True, slots=True)
class LoadedExample:
    """An example whose file has been read.

    Args:
        row: as it should be in the memory.
        old: as it is there now, None for a new one.
        picture: the encoded bytes, where they are new or to be copied.
        prepared: the network's input (3, H, W), where the picture is new.
        reused: features (F,) and vector (d,) of a new picture, out of another memory.
        lacking: True if the row that is there lacks the vector of a text.
        claim: what the source says of it, where that is not what it said before.
    """

    row: Row
    old: Row | None
    picture: bytes | None = None
    prepared: Array | None = None
    reused: tuple[Array, Array] | None = None
    lacking: bool = False
    claim: Claim | None = None

    @property
    def is_new(self) -> bool:
        """True if its picture's vectors are to be written."""
        return self.prepared is not None or self.reused is not None

    @property
    def has_new_texts(self) -> bool:
        """True if the vectors of its texts are to be written."""
        return self.lacking or self.row.texts != (self.old.texts if self.old else ())

    @property
    def changes(self) -> bool:
        """True if there is anything to write."""
        return self.row != self.old or self.picture is not None or self.lacking


@dataclass(frozen=True, slots=True)
class Known:
    """What the memory has of an example.

    Args:
        row: with the example's id; None for a new example.
        copied: True if the memory has a copy of the picture.
        seen: True if the picture has a vector.
        lacking: True if the picture or a text has no vector.
        last: what the source said of the row last; None if it never said anything.
        namesake: another file of the same name that the row is from, where the row has its id from
            this name and a number.
    """

    row: Row | None = None
    copied: bool = False
    seen: bool = False
    lacking: bool = False
    last: Claim | None = None
    namesake: str | None = None


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
        self._copy = copy
        self._max_pixels = max_pixels
        self._version: int | None = None
        self._started = ""  # by the time of the quarantine
        self._encoder: Encoder = memory.encoder
        self._reusable = reuse_from.rows_by_picture_hash() if reuse_from is not None else {}
        self._reuse_from = reuse_from
        self._on_write = on_write
        self._as_read = as_read or {}
        self._claimant = claimant
        self._label_stays = label_stays
        self._numbered = re.compile(rf"{re.escape(Path(name).name)}:\d+$")
        self._hashes: set[str] | None = None  # of the pictures of the memory, when first needed
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
            ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1)), "decode") as pool,
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
            with store.transaction():
                self.report.duplicates = mark_duplicates(store)
                # What an earlier run of this source set aside and this one did not is well now.
                store.quarantine.clear(self._source, self._started)
        self.report.seconds = time.monotonic() - began
        return self.report

    def _following_renames(self) -> Iterator[Example]:
        """The deferred examples, once the rows of renamed pictures have followed them."""
        deferred, self._deferred, self._hashes = self._deferred, [], set()
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
        if self._hashes is None and any(
            isinstance(item, Example) and isinstance(item.picture, Path) for item in batch
        ):
            self._hashes = {each.hash for each in store.rows.hashes()}
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
            futures.append(pool.submit(self._load, item, state))
        return futures

    def _claims(self, numbers: Sequence[int]) -> dict[int, Claim]:
        """What this source said last of rows, by their numbers."""
        if self._claimant is None:
            return {}
        said = self._memory.store.claims.of_source(self._claimant, numbers)
        return {number: Claim.from_json(text) for number, text in said.items()}

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

    def _load(self, item: Example | Rejected, known: Known) -> LoadedExample | Rejected | Deferred:
        """Read one picture, and decode it if it is new. Runs in a thread."""
        if isinstance(item, Rejected):
            return item
        if known.namesake is not None and known.last is None and item.picture is None:
            reason = f"The id {item.id!r} is already that of a row of {known.namesake}. Index this "
            return Rejected(_place(item), f"{reason}file with --prefix NAME.")
        loaded = self._read(item, known)
        if not isinstance(loaded, LoadedExample):
            return loaded
        claim = Claim.of(item) if self._claimant is not None else None
        return replace(loaded, lacking=known.lacking, claim=claim if claim != known.last else None)

    def _read(self, item: Example, known: Known) -> LoadedExample | Rejected | Deferred:
        old = known.row
        stays = old is not None and self._label_stays is not None and self._label_stays(old)
        row = merged(old, item, known.last, label_stays=stays)
        if len(row.texts) > MOST_TEXTS:
            return Rejected(
                _place(item),
                f"{row.id!r} has {len(row.texts):,} texts; a row takes {MOST_TEXTS:,}.",
            )
        if flaw := unwritable(row):
            return Rejected(_place(item), flaw)
        if item.picture is None:
            return LoadedExample(row, old)
        try:
            data = pictures.read_bytes(item.picture)
            hash_ = pictures.content_hash(data)
            same = old is not None and old.hash == hash_
            if old is not None and same and known.seen:
                row = replace(row, path=_better_path(old, item))
                keep = self._keeps(row) and not known.copied
                return LoadedExample(row, old, data if keep else None)
            hashes = self._hashes or ()
            changed = hash_ in hashes if old is None else bool(hashes) and not same
            if changed and isinstance(item.picture, Path):
                return Deferred(item, hash_, old)
            if old is not None and not same and _is_another(old, item):
                reason = f"The id {row.id!r} is already that of {old.path}. Index this folder with "
                return Rejected(_place(item), reason + "--prefix NAME, or delete the other row.")
            if hash_ in self._reusable:
                return self._reused(row, old, data, hash_)
            info = pictures.probe(data)
            picture = pictures.decode(
                data, hint=self._encoder.picture_size, max_pixels=self._max_pixels
            )
            row = replace(
                row,
                hash=hash_,
                width=info.width,
                height=info.height,
                duplicate_of=None,
                phash=pictures.perceptual_hash(picture),
            )
            return LoadedExample(row, old, data, self._encoder.prepare(picture))
        except PictureError as error:
            return Rejected(_place(item), str(error))

    def _reused(self, row: Row, old: Row | None, data: bytes, hash_: str) -> LoadedExample:
        """A new picture that the other memory has: what was computed of it, without decoding."""
        assert self._reuse_from is not None
        theirs, feature, vector = self._reuse_from.row_with_vectors(self._reusable[hash_])
        row = replace(
            row,
            hash=hash_,
            width=theirs.width,
            height=theirs.height,
            duplicate_of=None,
            phash=theirs.phash,
        )
        return LoadedExample(row, old, data, reused=(feature, vector))

    def _keeps(self, row: Row) -> bool:
        """True if the picture must be copied in: on request, or since it has no file."""
        return self._copy or row.path is None

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
            part = Computed(picture=item.picture if self._keeps(item.row) else None)
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
                said = {id: claim.to_json() for id, claim in claims.items() if id not in gone}
                store.claims.put(self._claimant, said)
        rejected += gone.values()  # their files can be read, so they are not in the quarantine
        return written

    def _begin(self) -> int:
        """Number of the version that this run makes; needs a transaction."""
        if self._version is None:
            self._version = self._memory.store.history.begin(f"index {self._name}")
        return self._version


def _better_path(old: Row, example: Example) -> Path | None:
    """Of a picture with the same content: where it was if it is still there, else where it is."""
    if not isinstance(example.picture, Path):
        return old.path
    path = absolute(example.picture)
    if old.path is None or old.path == path or not holds(old.path, old.hash):
        return path
    return old.path


def _is_another(old: Row, example: Example) -> bool:
    """True if the id belongs to another picture file, which may be away for now."""
    if old.path is None or not isinstance(example.picture, Path):
        return False
    return old.path != absolute(example.picture)


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


def _place(example: Example) -> str:
    place = str(example.picture) if isinstance(example.picture, Path) else example.source
    return (place or example.id).encode(errors="backslashreplace").decode()
