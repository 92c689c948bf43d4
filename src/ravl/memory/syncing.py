"""Syncing: a memory follows folders. What is new, changed, renamed or removed since the last time?

Files whose size and time are as they were are not opened. A picture that turns up under another
name is known by its content, and no network sees it again. Rows of pictures that are gone go to
the trash (see :mod:`ravl.memory.trash`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from ravl.data import Example, Rejected, pictures
from ravl.errors import DataError, PictureError
from ravl.memory import trash
from ravl.memory.folder_scan import FolderScan, scan, watched_folders
from ravl.memory.indexing import Indexer
from ravl.store.collection import Collection
from ravl.store.records import RESTORED, Stamp
from ravl.store.row import Row


@dataclass
class SyncReport:
    """What a sync found, and did unless it was a dry run.

    Args:
        new, changed: ids of pictures that were indexed; touched ones whose content and texts are
            as before count as unchanged.
        renamed: old and new id of pictures that were moved.
        removed: ids of rows that went to the trash.
        restored: ids of rows that came back from the trash, since their pictures did.
        unchanged: pictures.
        rejected: what was set aside; all of it is in the quarantine.
        encoded: pictures that went through the network.
        seconds: the whole took.
        dry_run: True if nothing was written.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    encoded: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def quiet(self) -> bool:
        """True if nothing had happened."""
        return not (self.new or self.changed or self.renamed or self.removed or self.restored)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "new": self.new,
            "changed": self.changed,
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "removed": self.removed,
            "restored": self.restored,
            "unchanged": self.unchanged,
            "set_aside": len(self.rejected),
            "reasons": [r.to_json() for r in self.rejected],
            "encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True)
class Move:
    """A picture that turned up under another name.

    Args:
        row: of the memory or of its trash.
        trashed: whether it comes from the trash.
        id, path: that it has now.
    """

    row: Row
    trashed: bool
    id: str
    path: Path


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
    watched = watched_folders(memory, [Path(each) for each in folders], ignore, folder_labels)
    scans = [scan(folder, known) for folder in watched]
    rows = _rows(memory)
    gone = _gone(memory, rows, scans, known)
    _check(memory, scans, gone, remove_all)
    moves = _moves(memory, rows, scans, gone)
    moved = {move.row.number for move in moves if not move.trashed}
    removed = [row for row in gone if row.number not in moved]
    report = SyncReport(dry_run=dry_run)
    report.renamed = [(m.row.id, m.id) for m in moves if not m.trashed]
    report.restored = [m.id for m in moves if m.trashed]
    report.removed = [row.id for row in removed]
    if not dry_run:
        _write(memory, scans, moves, removed)
    for found in scans:
        _index(memory, found, rows, {move.path: move.id for move in moves}, report, progress)
    report.seconds = monotonic() - began
    return report


def _rows(memory: Collection) -> dict[Path, list[Row]]:
    """Rows with a picture file, by its path."""
    found: dict[Path, list[Row]] = defaultdict(list)
    for row in memory.store.rows.with_file():
        assert row.path is not None
        found[row.path].append(row)
    return found


def _gone(
    memory: Collection,
    rows: dict[Path, list[Row]],
    scans: Sequence[FolderScan],
    known: Mapping[Path, Stamp],
) -> list[Row]:
    """Rows whose file was in one of the folders; those with a copy of it need none."""
    found = []
    for path, its in rows.items():
        if any(path in each.there for each in scans) or not any(e.follows(path) for e in scans):
            continue
        if known.get(path) != RESTORED and not path.exists():
            found += its
    copied = memory.store.rows.copied([row.number for row in found])
    return [row for row in found if row.number not in copied]


def _check(
    memory: Collection, scans: Sequence[FolderScan], gone: Sequence[Row], remove_all: bool
) -> None:
    """Refuse to empty a memory because a disk is away."""
    for found in scans:
        lost = sum(found.follows(row.path) for row in gone if row.path is not None)
        if lost and not found.there and not remove_all:
            raise DataError(
                f"{found.folder.path} holds no picture any more, and {lost:,} rows of "
                f"{memory.path} are of pictures there. Is its disk away? Nothing was removed. If "
                "they are gone for good: ravl sync --remove-all"
            )


def _moves(
    memory: Collection,
    rows: dict[Path, list[Row]],
    scans: Sequence[FolderScan],
    gone: Sequence[Row],
) -> list[Move]:
    """Files with a new name and the content of a row in the trash, or of one whose file is gone."""
    lost: dict[str, list[tuple[Row, bool]]] = defaultdict(list)
    for row in gone:
        lost[row.hash or ""].append((row, False))
    for entry in memory.store.trash.entries():
        lost[entry.row.hash or ""].append((entry.row, True))
    if not lost:
        return []
    moves: list[Move] = []
    given: set[str] = set()  # ids of the moves
    for found in scans:
        for path in found.fresh:
            if path in rows:
                continue
            try:
                same = lost.get(pictures.content_hash(pictures.read_bytes(path)))
            except PictureError:
                continue
            if not same:
                continue
            # Of several pictures with the same content, the one that has the same name.
            same.sort(key=lambda pair: pair[0].path is None or pair[0].path.name != path.name)
            row, trashed = same[0]
            id = _new_id(row, found, path)
            own = id == row.id and not trashed
            if id not in given and (own or id not in memory):
                given.add(id)
                moves.append(Move(*same.pop(0), id, path))
    return moves


def _new_id(row: Row, found: FolderScan, path: Path) -> str:
    """The id of a moved picture: its new path where it was its old one, else as it was."""
    named = row.path is not None and row.id.endswith(row.path.name)
    return found.folder.id_of(path) if named else row.id


def _write(
    memory: Collection, scans: Sequence[FolderScan], moves: Sequence[Move], removed: Sequence[Row]
) -> None:
    """Follow the folders, move and remove rows: all of it or nothing."""
    store = memory.store
    with store.transaction():
        for found in scans:
            store.folders.watch(found.folder)
        if not moves and not removed:
            return
        names = ", ".join(str(found.folder.path) for found in scans)
        version = store.history.begin(f"sync {names}")
        left = [row.path for row in (*removed, *(move.row for move in moves))]
        store.folders.forget(path for path in left if path is not None)
        for row in removed:
            store.trash.move(version, row)
        for move in moves:
            new = replace(move.row, id=move.id, path=move.path)
            if move.trashed:
                trash.put_back(memory, version, move.row, new)
            else:
                store.rows.rename(version, move.row, new)


def _index(
    memory: Collection,
    found: FolderScan,
    rows: dict[Path, list[Row]],
    moved: dict[Path, str],
    report: SyncReport,
    progress: bool | None,
) -> None:
    """Bring in what is new or was touched, and remember how the files are now."""
    name, dry = str(found.folder.path), report.dry_run
    fresh = [path for path in found.fresh if not (dry and path in moved)]
    report.unchanged += len(found.there) - len(found.fresh)
    if not fresh and not found.rejected and not _aside(memory, name):
        return
    bad: set[str] = set()

    def examples() -> Iterator[Example | Rejected]:
        yield from found.rejected
        for path in fresh:
            for said in _examples(found, path, rows.get(path, ()), moved.get(path)):
                if isinstance(said, Rejected):
                    bad.add(str(path))
                yield said

    def on_write(id: str, new: bool) -> None:
        (report.new if new else report.changed).append(id)

    indexer = Indexer(
        memory, name, copy=False, max_pixels=pictures.MAX_PIXELS, dry_run=dry, on_write=on_write
    )
    done = indexer.run(examples(), lambda: len(fresh) + len(found.rejected), progress)
    kept = {moved[path] for path in fresh if path in moved} - set(report.changed)
    report.unchanged += done.unchanged - len(kept)
    report.rejected += done.reasons
    report.encoded += done.encoded
    if not dry:
        _remember(memory, found, bad | _aside(memory, name))


def _aside(memory: Collection, name: str) -> set[str]:
    """What a folder has in the quarantine."""
    return {each.place for each in memory.store.quarantine.entries(name)}


def _examples(
    found: FolderScan, path: Path, known: Sequence[Row], moved: str | None
) -> Iterator[Example | Rejected]:
    """What is said of a file; rows that a table made, or people labelled, keep what they have."""
    id = moved or found.folder.id_of(path)
    for said in found.source.about(path):
        if isinstance(said, Rejected):
            yield said
        elif moved or not known:
            yield replace(said, id=id)
        else:
            for row in known:
                own = replace(said, id=id, label=row.label or said.label)
                yield own if row.id == id else Example(row.id, path, source=said.source)


def _remember(memory: Collection, found: FolderScan, bad: set[str]) -> None:
    """Keep the stamps of what is in the memory; what was set aside is read again."""
    with memory.store.transaction():
        memory.store.folders.remember(
            {path: stamp for path, stamp in found.fresh.items() if str(path) not in bad}
        )
