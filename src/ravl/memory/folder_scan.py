"""Looking at a folder that a memory follows: what is there, and what has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from ravl.data import Rejected
from ravl.data.readers.folder import FolderSource
from ravl.data.readers.metadata import NAMES
from ravl.data.readers.sidecars import sidecars
from ravl.data.readers.source import ReadOptions
from ravl.data.text import nfc
from ravl.errors import DataError
from ravl.memory.moves import holds
from ravl.store.collection import Collection
from ravl.store.records import Stamp, WatchedFolder

IGNORES = ".ravlignore"  # a file with patterns, in the folder itself
SAMPLE = 50  # pictures that are compared to recognise a folder that has moved


@dataclass(eq=False)
class FolderScan:
    """What a folder holds now.

    Args:
        folder: that was looked at.
        source: reads what it says of its pictures.
        spec: its patterns.
        moved_from: where the folder was before, if it has moved.
        there: paths of its pictures.
        fresh: those that are new or were touched, with their stamps.
        rejected: what cannot be read.
        metadata: files about several of its pictures, with their stamps.
        lost_metadata: such files that were there before.
    """

    folder: WatchedFolder
    source: FolderSource
    spec: GitIgnoreSpec
    moved_from: Path | None = None
    there: set[Path] = field(default_factory=set)
    fresh: dict[Path, Stamp] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    metadata: dict[Path, Stamp] = field(default_factory=dict)
    lost_metadata: set[Path] = field(default_factory=set)

    def follows(self, path: Path) -> bool:
        """True for a path in the folder, or in its old place, that is not ignored."""
        inner = self.inner(path)
        return inner is not None and not self.spec.match_file(inner)

    def inner(self, path: Path) -> str | None:
        """A path relative to the folder, or to its old place; None for a path elsewhere."""
        for folder in (self.folder.path, self.moved_from):
            if folder is not None and path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return None


def scan(
    folder: WatchedFolder, known: Mapping[Path, Stamp], moved_from: Path | None = None
) -> FolderScan:
    """Walk a folder; nothing is opened but the file with its patterns.

    Args:
        folder: to walk.
        known: stamps of files as they were.
        moved_from: where the folder was before, if it has moved.
    """
    patterns = [*folder.ignored, *_own(folder.path / IGNORES)]
    source = FolderSource(folder.path, ReadOptions(folder_labels=folder.labelled))
    found = FolderScan(folder, source, GitIgnoreSpec.from_lines(patterns), moved_from)
    for path in source.pictures():
        if isinstance(path, Rejected):
            found.rejected.append(path)
        elif not patterns or found.follows(path):
            stamp = stamp_of(path)
            if stamp is None:  # gone in this very moment
                continue
            found.there.add(path)
            if known.get(path) != stamp:
                found.fresh[path] = stamp
    _look_at_metadata(found, known)
    return found


def _look_at_metadata(found: FolderScan, known: Mapping[Path, Stamp]) -> None:
    """Take the pictures below a metadata file for touched where the file was."""
    files = {file for path in found.there for file in found.source.metadata_files(path)}
    found.metadata = {file: stamp for file in files if (stamp := stamp_of(file)) is not None}
    before = {path for path in known if path.name in NAMES and found.inner(path) is not None}
    found.lost_metadata = before - files
    touched = {file.parent for file, stamp in found.metadata.items() if known.get(file) != stamp}
    touched |= {file.parent for file in found.lost_metadata}
    below = (path for path in found.there if touched and not touched.isdisjoint(path.parents))
    fresh = {path: stamp for path in below if (stamp := stamp_of(path)) is not None}
    if fresh:
        fresh |= found.fresh
        found.fresh = {path: fresh[path] for path in sorted(fresh, key=lambda path: path.parts)}


def stamp_of(path: Path) -> Stamp | None:
    """A file's stamp, which changes with the file and with the texts beside it.

    It holds the times of the last change of the files' entries (ctime), too: a file that is renamed
    keeps its size and mtime, and a text may come out of an archive with an old time.

    Returns:
        None if there is no such file.
    """
    try:
        file = os.stat(path)  # noqa: PTH116 (hot)
    except OSError:
        return None
    seen = [file.st_mtime_ns, file.st_ctime_ns]
    for text in sidecars(path):
        try:
            beside = os.stat(text)  # noqa: PTH116
        except OSError:
            seen.append(-1)
        else:
            seen += [beside.st_size, beside.st_mtime_ns, beside.st_ctime_ns]
    digest = hashlib.blake2b(repr(seen).encode(), digest_size=8).digest()
    return file.st_size, int.from_bytes(digest, "big") >> 1  # SQLite's integers have a sign


@dataclass(frozen=True)
class Watch:
    """Folders to look at.

    Args:
        folders: to walk.
        moved: the old place of each folder that has moved, by its new one.
        missing: followed folders that are not there now.
    """

    folders: list[WatchedFolder]
    moved: dict[Path, Path]
    missing: list[Path]


def watched_folders(
    memory: Collection, folders: Sequence[Path], ignored: Sequence[str], labelled: bool | None
) -> Watch:
    """Folders to follow: those named, or all that the memory follows.

    A folder that is named for the first time and holds the pictures of a followed folder that is
    gone is that folder in a new place.

    Raises:
        DataError: a named folder is not there, none of the followed ones is, a folder lies within
            another, or no folder is named or known.
    """
    known = {folder.path: folder for folder in memory.store.folders.watched()}
    missing = [path for path in known if not path.is_dir()]
    wanted = [folder.resolve() for folder in folders] or [p for p in known if p not in missing]
    if not wanted and not known:
        raise DataError(
            f"{memory.path} follows no folder yet. Name one: ravl sync {memory.path} PICTURES"
        )
    for path in wanted or missing:
        if not path.is_dir():
            raise DataError(
                f"There is no folder {path}, so nothing was removed. Is its disk away? If the "
                f"folder has moved, name its new place: ravl sync {memory.path} FOLDER. To forget "
                f"its pictures: ravl delete {memory.path} --where ..."
            )
    watch = Watch([], {}, missing)
    for path in dict.fromkeys(wanted):
        found = known.get(path) or _moved(memory, path, [known[p] for p in watch.missing])
        if found is not None and found.path != path:
            watch.moved[path] = found.path
            watch.missing.remove(found.path)
            del known[found.path]
        for other in (*known, *(folder.path for folder in watch.folders)):
            if path != other and (path.is_relative_to(other) or other.is_relative_to(path)):
                raise DataError(f"{path} and {other} lie within each other. Name the outer one.")
        if found is None:
            found = WatchedFolder(path, _prefix(memory, path, watch.folders, known))
        labels = found.labelled if labelled is None else labelled
        kept = tuple(ignored) or found.ignored
        watch.folders.append(WatchedFolder(path, found.prefix, kept, labels))
    return watch


def _moved(
    memory: Collection, path: Path, missing: Sequence[WatchedFolder]
) -> WatchedFolder | None:
    """The missing folder whose pictures are in this one, by their paths and contents."""
    for folder in missing:
        rows = [
            (row.path.relative_to(folder.path), row.hash)
            for row in memory.store.rows.with_file()
            if row.path is not None and row.path.is_relative_to(folder.path)
        ]
        sample = rows[:: max(1, len(rows) // SAMPLE)]
        same = sum(holds(path / inner, hash) for inner, hash in sample)
        if same and 2 * same >= len(sample):
            return folder
    return None


def _prefix(
    memory: Collection,
    path: Path,
    chosen: Sequence[WatchedFolder],
    known: Mapping[Path, WatchedFolder],
) -> str:
    """That of rows which lie in the folder already; else none for the first, and its name."""
    for row in memory.store.rows.with_file():
        if row.path is not None and row.path.is_relative_to(path):
            id, inner = nfc(row.id), nfc(row.path.relative_to(path).as_posix())
            return id.removesuffix(inner) if id.endswith(inner) else ""
    taken = {folder.prefix for folder in (*known.values(), *chosen)}
    if not taken and not len(memory):
        return ""
    name, number = f"{path.name}/", 2
    while name in taken:
        name, number = f"{path.name}-{number}/", number + 1
    return name


def _own(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.is_file() else []
