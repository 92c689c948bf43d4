"""Syncing: a memory follows folders. What is new, changed, renamed or removed since the last time?

Files whose size and time are as they were are not opened. A picture that turns up under another
name is known by its content, and no network sees it again. Rows of pictures that are gone go to
the trash (see :mod:`ravl.memory.trash`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from ravl.data import Example, Rejected, pictures
from ravl.data.text import nfc
from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.memory.folder_scan import FolderScan, Watch, scan, watched_folders
from ravl.memory.indexing import Indexer
from ravl.memory.moves import (
    Arrival,
    Move,
    apply_moves,
    content_of,
    find_moves,
    is_named,
    settle_ids,
    still_possible,
)
from ravl.memory.provenance import source_name
from ravl.memory.writing import Write, write
from ravl.store.collection import Collection
from ravl.store.records import RESTORED, Stamp
from ravl.store.row import Row


@dataclass
class SyncReport:
    """What a sync found, and did unless it was a dry run.

    Args:
        new, changed: ids of pictures that were indexed; touched ones whose content and texts are
            as before count as unchanged.
        renamed: old and new id of pictures that have another name or place now.
        moved: old and new path of folders that have moved as a whole; their pictures keep their
            ids, and count as unchanged.
        missing: paths of followed folders that are not there now; their rows stay.
        removed: ids of rows that went to the trash.
        restored: ids of rows that came back from the trash, since their pictures did.
        unchanged: pictures.
        kept: rows in which a value stays that a person set, though their folder says another one;
            of the pictures that were looked at.
        skipped: how many files of each kind the folders have that are no pictures, or were left
            out: "video", "PDF", "thumbnail".
        rejected: what was set aside; all of it is in the quarantine.
        encoded: pictures that went through the network.
        seconds: the whole took.
        dry_run: True if nothing was written.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    unchanged: int = 0
    kept: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    encoded: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def quiet(self) -> bool:
        """True if nothing had happened."""
        rows = self.new or self.changed or self.renamed or self.removed or self.restored
        return not (rows or self.moved)

    @property
    def found_nothing(self) -> bool:
        """True if the folders hold no picture that can be read, and no row was removed."""
        return self.quiet and not self.unchanged

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "new": self.new,
            "changed": self.changed,
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "moved": [{"from": old, "to": new} for old, new in self.moved],
            "missing": self.missing,
            "removed": self.removed,
            "restored": self.restored,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "set_aside": len(self.rejected),
            "skipped": self.skipped,
            "reasons": [r.to_json() for r in self.rejected],
            "encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "dry_run": self.dry_run,
        }


def sync(
    memory: Collection,
    folders: Sequence[str | Path] = (),
    *,
    ignore: Sequence[str] = (),
    folder_labels: bool | None = None,
    dry_run: bool = False,
    remove_all: bool = False,
    progress: bool | None = None,
) -> SyncReport:
    """Bring a memory up to date with folders; see :meth:`ravl.memory.Memory.sync`."""
    began = monotonic()
    known = memory.store.folders.stamps()
    watch = watched_folders(memory, [Path(each) for each in folders], ignore, folder_labels)
    scans = [scan(folder, known, watch.moved.get(folder.path)) for folder in watch.folders]
    rows = _rows(memory)
    gone, displaced, arrivals = _lost(memory, rows, scans, known)
    trashed = [entry.row for entry in memory.store.trash.entries()]
    moves = find_moves(arrivals, [*gone, *displaced], trashed)
    removed = _removed(memory, gone, displaced, moves)
    _check(memory, scans, removed, remove_all)
    leaving = {row.id for row in removed} | {m.row.id for m in moves if not m.trashed}
    moves = settle_ids(moves, memory.store.rows.find(m.id for m in moves).keys() - leaving)
    report = SyncReport(dry_run=dry_run)
    report.moved = [(str(old), str(new)) for new, old in watch.moved.items()]
    report.missing = [str(path) for path in watch.missing]
    for found in scans:
        for kind, count in found.source.skipped.items():
            report.skipped[kind] = report.skipped.get(kind, 0) + count
    if not dry_run:
        moves, removed = _write(memory, watch, scans, moves, removed)
    along = _moved_along(scans, moves)
    report.renamed = [(m.row.id, m.id) for m in moves if not m.trashed and m.id not in along]
    report.restored = [m.id for m in moves if m.trashed]
    report.removed = [row.id for row in removed]
    _follow(rows, moves, removed)
    for found in scans:
        _index(memory, found, rows, moves, along, report, progress)
    report.seconds = monotonic() - began
    return report


def _rows(memory: Collection) -> dict[Path, list[Row]]:
    """Rows with a picture file, by its path."""
    found: dict[Path, list[Row]] = defaultdict(list)
    for row in memory.store.rows.with_file():
        assert row.path is not None
        found[row.path].append(row)
    return found


def _lost(
    memory: Collection,
    rows: dict[Path, list[Row]],
    scans: Sequence[FolderScan],
    known: Mapping[Path, Stamp],
) -> tuple[list[Row], list[Row], list[Arrival]]:
    """Rows whose file is gone, rows whose file holds another picture now, and the other pictures.

    The third are files whose content is not that of their own row: new ones, and those of the
    second. New files are opened only if they can be the picture of a row that lost its file.
    """
    gone: list[Row] = []
    for path, its in rows.items():
        if any(path in each.there for each in scans) or not any(e.follows(path) for e in scans):
            continue
        if known.get(path) != RESTORED and not path.exists():
            gone += its
    contents = {p: content_of(p) for each in scans for p in each.fresh if p in rows}
    displaced = [
        row
        for path, content in contents.items()
        for row in rows[path]
        if content is not None and row.hash != content
    ]
    away = {row.path for row in displaced}
    if gone or displaced or memory.store.trash.entries():
        contents |= {p: content_of(p) for each in scans for p in each.fresh if p not in rows}
    arrivals = [
        Arrival(path, content, each.folder.id_of(path))
        for each in scans
        for path in each.fresh
        if (content := contents.get(path)) is not None and (path in away or path not in rows)
    ]
    return gone, displaced, arrivals


def _removed(
    memory: Collection, gone: Sequence[Row], displaced: Sequence[Row], moves: Sequence[Move]
) -> list[Row]:
    """Rows whose picture is nowhere.

    A row with a copy of its picture needs no file. A row whose file holds a picture that no other
    row had stays: its picture was edited.
    """
    moved = {move.row.number for move in moves if not move.trashed}
    taken = {move.path for move in moves}
    copied = memory.store.rows.copied([row.number for row in gone])
    return [
        *(row for row in gone if row.number not in copied and row.number not in moved),
        *(row for row in displaced if row.path in taken and row.number not in moved),
    ]


def _moved_along(scans: Sequence[FolderScan], moves: Sequence[Move]) -> set[str]:
    """Ids of rows that moved with their whole folder, and have the same path in it."""
    along = set()
    for move in moves:
        for found in scans:
            if found.moved_from is not None and move.row.path is not None and move.path is not None:
                inner = found.inner(move.path)
                if inner is not None and inner == found.inner(move.row.path):
                    along.add(move.id)
    return along


def _follow(rows: dict[Path, list[Row]], moves: Sequence[Move], removed: Sequence[Row]) -> None:
    """Bring the rows by path up to date with what moves and leaves."""
    left = {row.number for row in removed} | {m.row.number for m in moves if not m.trashed}
    for path in {row.path for row in (*removed, *(move.row for move in moves))}:
        if path in rows:
            rows[path] = [row for row in rows[path] if row.number not in left]
    for move in moves:
        if move.path is not None:
            rows[move.path].append(move.moved)


def _check(
    memory: Collection, scans: Sequence[FolderScan], removed: Sequence[Row], remove_all: bool
) -> None:
    """Refuse to empty a memory because a disk is away."""
    for found in scans:
        lost = sum(found.follows(row.path) for row in removed if row.path is not None)
        if lost and not found.there and not remove_all:
            raise DataError(
                f"{found.folder.path} holds no picture any more, and {lost:,} rows of "
                f"{memory.path} are of pictures there. Is its disk away? Nothing was removed. If "
                "they are gone for good: ravl sync --remove-all"
            )


def _write(
    memory: Collection,
    watch: Watch,
    scans: Sequence[FolderScan],
    moves: Sequence[Move],
    removed: Sequence[Row],
) -> tuple[list[Move], list[Row]]:
    """Follow the folders, move and remove rows: all of it or nothing.

    Returns:
        The moves and the removed rows that were left to do; see :func:`still_possible`.
    """
    store = memory.store
    what = "sync " + ", ".join(str(found.folder.path) for found in scans)

    def work(under_way: Write) -> tuple[list[Move], list[Row]]:
        for old in watch.moved.values():
            store.folders.unwatch(old)
        for new, old in watch.moved.items():
            store.claims.move(str(old), str(new))
        for found in scans:
            store.folders.watch(found.folder)
        done, left = still_possible(store, moves, removed)
        if done or left:
            apply_moves(store, under_way.begin(what), done, left)
        for move in [move for move in done if move.trashed]:
            if under_way.bring_back(store.trash, move.row, move.moved, what):
                done.remove(move)  # its picture cannot be encoded; the indexer says why
        return done, left

    return write(memory, work)


def _index(
    memory: Collection,
    found: FolderScan,
    rows: dict[Path, list[Row]],
    moves: Sequence[Move],
    along: Container[str],
    report: SyncReport,
    progress: bool | None,
) -> None:
    """Bring in what is new or was touched, and remember how the files are now."""
    name, dry = str(found.folder.path), report.dry_run
    moved = {move.path: move.row for move in moves}
    fresh = [path for path in found.fresh if not (dry and path in moved)]
    report.unchanged += len(found.there) - len(found.fresh)
    if not fresh and not found.rejected and not _aside(memory, name):
        return
    bad: set[str] = set()

    def examples() -> Iterator[Example | Rejected]:
        yield from found.rejected
        for path in fresh:
            for item in _examples(found, path, rows.get(path, ()), moved.get(path)):
                if isinstance(item, Rejected):
                    bad.add(str(path))
                yield item

    def on_write(id: str, new: bool) -> None:
        (report.new if new else report.changed).append(id)

    def label_stays(row: Row) -> bool:
        """A label that a row had from its folder gives way to that of its folder now."""
        old = moved.get(row.path)
        return old is None or old.label != _folder_label(found, old)

    restored = {move.row.number for move in moves if move.trashed}  # they have other numbers now
    indexer = Indexer(
        memory,
        name,
        copy=False,
        max_pixels=pictures.MAX_PIXELS,
        dry_run=dry,
        on_write=on_write,
        as_read={r.id: r for its in rows.values() for r in its if r.number not in restored},
        claimant=source_name(name),
        label_stays=label_stays,
    )
    done = indexer.run(examples(), lambda: len(fresh) + len(found.rejected), progress)
    told = {move.id for move in moves if move.path in found.fresh and move.id not in along}
    report.unchanged += done.unchanged - len(told - set(report.changed))
    report.kept += done.kept
    report.rejected += done.reasons
    report.encoded += done.encoded
    if not dry:
        _remember(memory, found, bad | _aside(memory, name))


def _aside(memory: Collection, name: str) -> set[str]:
    """What a folder has in the quarantine."""
    return {each.place for each in memory.store.quarantine.entries(name)}


def _examples(
    found: FolderScan, path: Path, known: Sequence[Row], moved: Row | None
) -> Iterator[Example | Rejected]:
    """What is said of a file; rows that a table made, with ids of its own, keep what they have.

    Args:
        found: the folder.
        path: of the file.
        known: rows of the file.
        moved: one of them as it was in another place.
    """
    id = found.folder.id_of(path)
    for item in found.source.about(path):
        if isinstance(item, Rejected):
            yield item
        elif not known:
            yield replace(item, id=id)
        else:
            for row in known:
                named = is_named(row.id, row.path)
                if nfc(row.id) == id or (moved is not None and named):
                    yield replace(item, id=row.id)
                else:
                    yield Example(row.id, path, source=item.source)


def _folder_label(found: FolderScan, row: Row) -> str | None:
    """The label that a row had from its sub-folder."""
    inner = found.inner(row.path) if row.path is not None else None
    return found.source.label_of(inner) if inner is not None else row.label


def _remember(memory: Collection, found: FolderScan, bad: set[str]) -> None:
    """Keep the stamps of what is in the memory; what was set aside is read again."""
    with memory.store.transaction():
        read = {path: stamp for path, stamp in found.fresh.items() if str(path) not in bad}
        memory.store.folders.remember(read | found.metadata)
        memory.store.folders.forget(found.lost_metadata)
