"""The tables ``roots`` and ``files``: folders that a memory follows, and how their files were."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from ravl.errors import MemoryFileError
from ravl.store.records import Stamp, WatchedFolder
from ravl.store.row import texts_in
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.records import read_path, stored_path
from ravl.untrusted import ADVICE, damage_of, parse_json


class FolderTables:
    """The folders of a memory; see :class:`ravl.store.contract.Folders`.

    Args:
        database: the file.
        folder: that paths below it are kept relative to.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def watched(self) -> list[WatchedFolder]:
        """All of them, by path."""
        if not self._database.has_table("roots"):
            return []
        found = self._connection.execute(
            "SELECT path, prefix, ignored, labelled FROM roots ORDER BY path"
        )
        with damage_of(f"A followed folder of {self._database.path}", ADVICE, MemoryFileError):
            return [
                WatchedFolder(
                    read_path(path, self._folder),
                    str(prefix),
                    texts_in(parse_json(patterns)),
                    None if labelled is None else bool(labelled),
                )
                for path, prefix, patterns, labelled in found
            ]

    def watch(self, folder: WatchedFolder) -> None:
        """Follow a folder, or follow it otherwise."""
        self._database.add_sync_tables()
        path = stored_path(folder.path, self._folder)
        self._connection.execute(
            "INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?)",
            (path, folder.prefix, json.dumps(folder.ignored), folder.labelled),
        )

    def unwatch(self, path: Path) -> None:
        """Follow a folder no more."""
        if self._database.has_table("roots"):
            self._connection.execute(
                "DELETE FROM roots WHERE path = ?", (stored_path(path, self._folder),)
            )

    def stamps(self) -> dict[Path, Stamp]:
        """Stamps of all files, by path."""
        if not self._database.has_table("files"):
            return {}
        found = self._connection.execute("SELECT path, size, mtime FROM files")
        with damage_of(f"A followed file of {self._database.path}", ADVICE, MemoryFileError):
            return {
                read_path(path, self._folder): (int(size), int(mtime))
                for path, size, mtime in found
            }

    def remember(self, stamps: Mapping[Path, Stamp]) -> None:
        """Keep the stamps of these files."""
        self._database.add_sync_tables()
        self._connection.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
            [(stored_path(path, self._folder), *stamp) for path, stamp in stamps.items()],
        )

    def forget(self, paths: Iterable[Path]) -> None:
        """Keep no stamps of these files."""
        if self._database.has_table("files"):
            self._connection.executemany(
                "DELETE FROM files WHERE path = ?",
                [(stored_path(path, self._folder),) for path in paths],
            )
