"""Looking at a folder that a memory follows: what is there, and what is not as it was."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from ravl.data import Rejected
from ravl.data.readers.folder import FolderSource, sidecars
from ravl.data.readers.source import ReadOptions
from ravl.errors import DataError
from ravl.store import rows as store
from ravl.store.collection import Collection

Stamp = tuple[int, int]  # size in bytes, and nanoseconds of the newest among picture and texts
IGNORES = ".ravlignore"  # a file with patterns, in the folder itself


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder that a memory follows.

    Args:
        path: absolute.
        prefix: of the ids of its pictures, before their paths within it.
        ignored: patterns of what is left as it is, as in a ``.gitignore``.
        labelled: whether sub-folders are labels; None to tell by how they lie.
    """

    path: Path
    prefix: str
    ignored: tuple[str, ...] = ()
    labelled: bool | None = None

    def id_of(self, picture: Path) -> str:
        """The id that a picture of it gets."""
        return self.prefix + picture.relative_to(self.path).as_posix()


@dataclass(eq=False)
class FolderScan:
    """What a folder holds now.

    Args:
        root: the folder.
        source: reads what it says of its pictures.
        there: paths of its pictures.
        fresh: those that are new or were touched, with their stamps.
        rejected: what cannot be read.
        spec: its patterns.
    """

    root: WatchedFolder
    source: FolderSource
    spec: GitIgnoreSpec
    there: set[Path] = field(default_factory=set)
    fresh: dict[Path, Stamp] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def follows(self, path: Path) -> bool:
        """True for a path below it that it does not ignore."""
        if not path.is_relative_to(self.root.path):
            return False
        return not self.spec.match_file(path.relative_to(self.root.path).as_posix())


def look(memory: Collection, root: WatchedFolder, known: dict[str, Stamp]) -> FolderScan:
    """Walk a folder; nothing is opened but what the patterns are in.

    Args:
        memory: that follows it.
        root: the folder.
        known: stamps of files as they were, by their paths as rows have them.
    """
    patterns = [*root.ignored, *_own(root.path / IGNORES)]
    source = FolderSource(root.path, ReadOptions(folder_labels=root.labelled))
    found = FolderScan(root, source, GitIgnoreSpec.from_lines(patterns))
    for path in source.pictures():
        if isinstance(path, Rejected):
            found.rejected.append(path)
        elif not patterns or found.follows(path):
            stamp = stamp_of(path)
            if stamp is None:  # gone in this very moment
                continue
            found.there.add(path)
            if known.get(store.stored_path(path, memory.folder) or "") != stamp:
                found.fresh[path] = stamp
    return found


def stamp_of(path: Path) -> Stamp | None:
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


def roots_of(
    memory: Collection, folders: Sequence[Path], ignored: Sequence[str], labelled: bool | None
) -> list[WatchedFolder]:
    """Folders to follow: those named, and what is known of them; all known ones for none.

    Raises:
        DataError: a folder is not there, lies within another, or none is named nor known.
    """
    connection = memory.database.connection
    known = {
        memory.folder / path: WatchedFolder(
            memory.folder / path,
            prefix,
            tuple(json.loads(patterns)),
            None if labels is None else bool(labels),
        )
        for path, prefix, patterns, labels in connection.execute(
            "SELECT path, prefix, ignored, labelled FROM roots ORDER BY path"
        )
    }
    wanted = [folder.resolve() for folder in folders] or list(known)
    if not wanted:
        raise DataError(
            f"{memory.path} follows no folder yet. Name one: ravl sync {memory.path} PICTURES"
        )
    for folder in wanted:
        if not folder.is_dir():
            raise DataError(
                f"There is no folder {folder}, so nothing was removed. Is its disk away? To forget "
                f"its pictures: ravl delete {memory.path} --where ..."
            )
    roots: list[WatchedFolder] = []
    for folder in dict.fromkeys(wanted):
        for other in (*known, *(root.path for root in roots)):
            if folder != other and (folder.is_relative_to(other) or other.is_relative_to(folder)):
                raise DataError(f"{folder} and {other} lie within each other. Name the outer one.")
        found = known.get(folder) or WatchedFolder(
            folder, _prefix(connection, memory, folder, roots, known)
        )
        labels = found.labelled if labelled is None else labelled
        roots.append(WatchedFolder(folder, found.prefix, tuple(ignored) or found.ignored, labels))
    return roots


def _prefix(
    connection: sqlite3.Connection,
    memory: Collection,
    folder: Path,
    roots: list[WatchedFolder],
    known: dict[Path, WatchedFolder],
) -> str:
    """That of rows which lie in the folder already; else none for the first, and its name."""
    for id, path in _paths(connection, memory):
        if path.is_relative_to(folder):
            inner = path.relative_to(folder).as_posix()
            return id.removesuffix(inner) if id.endswith(inner) else ""
    taken = {root.prefix for root in (*known.values(), *roots)}
    if not taken and not len(memory):
        return ""
    name, number = f"{folder.name}/", 2
    while name in taken:
        name, number = f"{folder.name}-{number}/", number + 1
    return name


def _paths(connection: sqlite3.Connection, memory: Collection) -> Iterator[tuple[str, Path]]:
    for id, path in connection.execute("SELECT id, path FROM rows WHERE path IS NOT NULL"):
        yield id, memory.folder / path


def _own(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.is_file() else []
