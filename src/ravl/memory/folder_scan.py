"""Looking at a folder that a memory follows: what is there, and what has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from ravl.data import Rejected
from ravl.data.readers.folder import FolderSource, sidecars
from ravl.data.readers.source import ReadOptions
from ravl.errors import DataError
from ravl.store.collection import Collection
from ravl.store.records import Stamp, WatchedFolder

IGNORES = ".ravlignore"  # a file with patterns, in the folder itself


@dataclass(eq=False)
class FolderScan:
    """What a folder holds now.

    Args:
        folder: that was looked at.
        source: reads what it says of its pictures.
        there: paths of its pictures.
        fresh: those that are new or were touched, with their stamps.
        rejected: what cannot be read.
        spec: its patterns.
    """

    folder: WatchedFolder
    source: FolderSource
    spec: GitIgnoreSpec
    there: set[Path] = field(default_factory=set)
    fresh: dict[Path, Stamp] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def follows(self, path: Path) -> bool:
        """True for a path below it that it does not ignore."""
        if not path.is_relative_to(self.folder.path):
            return False
        return not self.spec.match_file(path.relative_to(self.folder.path).as_posix())


def scan(folder: WatchedFolder, known: Mapping[Path, Stamp]) -> FolderScan:
    """Walk a folder; nothing is opened but the file with its patterns.

    Args:
        folder: to walk.
        known: stamps of files as they were.
    """
    patterns = [*folder.ignored, *_own(folder.path / IGNORES)]
    source = FolderSource(folder.path, ReadOptions(folder_labels=folder.labelled))
    found = FolderScan(folder, source, GitIgnoreSpec.from_lines(patterns))
    for path in source.pictures():
        if isinstance(path, Rejected):
            found.rejected.append(path)
        elif not patterns or found.follows(path):
            stamp = mtime_of(path)
            if stamp is None:  # gone in this very moment
                continue
            found.there.add(path)
            if known.get(path) != stamp:
                found.fresh[path] = stamp
    return found


def mtime_of(path: Path) -> Stamp | None:
    """How a file is now, with the texts beside it; None where it is not there."""
    try:
        file = os.stat(path)  # noqa: PTH116 (hot)
    except OSError:
        return None
    newest = file.st_mtime_ns
    for text in sidecars(path):
        try:
            newest = max(newest, os.stat(text).st_mtime_ns)  # noqa: PTH116
        except OSError:
            continue
    return file.st_size, newest


def watched_folders(
    memory: Collection, folders: Sequence[Path], ignored: Sequence[str], labelled: bool | None
) -> list[WatchedFolder]:
    """Folders to follow: those named, and what is known of them; all known ones for none.

    Raises:
        DataError: a folder is not there, lies within another, or none is named nor known.
    """
    known = {folder.path: folder for folder in memory.store.folders.watched()}
    wanted = [folder.resolve() for folder in folders] or list(known)
    if not wanted:
        raise DataError(
            f"{memory.path} follows no folder yet. Name one: ravl sync {memory.path} PICTURES"
        )
    for path in wanted:
        if not path.is_dir():
            raise DataError(
                f"There is no folder {path}, so nothing was removed. Is its disk away? To forget "
                f"its pictures: ravl delete {memory.path} --where ..."
            )
    chosen: list[WatchedFolder] = []
    for path in dict.fromkeys(wanted):
        for other in (*known, *(folder.path for folder in chosen)):
            if path != other and (path.is_relative_to(other) or other.is_relative_to(path)):
                raise DataError(f"{path} and {other} lie within each other. Name the outer one.")
        found = known.get(path) or WatchedFolder(path, _prefix(memory, path, chosen, known))
        labels = found.labelled if labelled is None else labelled
        chosen.append(WatchedFolder(path, found.prefix, tuple(ignored) or found.ignored, labels))
    return chosen


def _prefix(
    memory: Collection,
    path: Path,
    chosen: Sequence[WatchedFolder],
    known: Mapping[Path, WatchedFolder],
) -> str:
    """That of rows which lie in the folder already; else none for the first, and its name."""
    for row in memory.store.rows.with_file():
        if row.path is not None and row.path.is_relative_to(path):
            inner = row.path.relative_to(path).as_posix()
            return row.id.removesuffix(inner) if row.id.endswith(inner) else ""
    taken = {folder.prefix for folder in (*known.values(), *chosen)}
    if not taken and not len(memory):
        return ""
    name, number = f"{path.name}/", 2
    while name in taken:
        name, number = f"{path.name}-{number}/", number + 1
    return name


def _own(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.is_file() else []
