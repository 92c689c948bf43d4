"""A memory's store in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ravl.encoders import Fingerprint
from ravl.store.records import Counts
from ravl.store.sqlite.claims import ClaimTable
from ravl.store.sqlite.database import Database, erase_log, files_of
from ravl.store.sqlite.folders import FolderTables
from ravl.store.sqlite.history import HistoryTables
from ravl.store.sqlite.notes import NoteTables, QuarantineTable
from ravl.store.sqlite.rows import RowTable
from ravl.store.sqlite.spaces import SpaceTable, make_space
from ravl.store.sqlite.trash import TrashTable
from ravl.store.sqlite.vectors import VectorTables
from ravl.store.sqlite.words import WordIndex


class SqliteStore:
    """A store in one file; see :class:`ravl.store.contract.Store`.

    Any number of processes may read it while one writes.

    Args:
        path: of the file, which must exist; see :meth:`create`.
        timeout: seconds to wait for another writer.
        folder: that relative paths of pictures begin at; None for the folder of the file.

    Raises:
        MemoryFileError: there is no such file, it is not a memory, or a newer ravl made it.
    """

    def __init__(self, path: Path, timeout: float = 30.0, folder: Path | None = None) -> None:
        self.database = Database(path, timeout)
        self.path = path.resolve()
        self.folder = folder or self.path.parent
        self.spaces = SpaceTable(self.database)
        self.vectors = VectorTables(self.database)
        self.words = WordIndex(self.database)
        self.history = HistoryTables(self.database)
        self.rows = RowTable(self.database, self.folder, self.vectors, self.words, self.history)
        self.trash = TrashTable("bin", self.database, self.folder, self.rows, self.vectors)
        self.deleted = TrashTable("deleted", self.database, self.folder, self.rows, self.vectors)
        self.folders = FolderTables(self.database, self.folder)
        self.claims = ClaimTable(self.database, self.folder)
        self.quarantine = QuarantineTable(self.database)
        self.notes = NoteTables(self.database)

    @classmethod
    def create(
        cls,
        path: Path,
        fingerprint: Fingerprint,
        encoder_state: Mapping[str, bytes],
        timeout: float = 30.0,
    ) -> Self:
        """A new, empty store for the vectors of an encoder.

        Args:
            path: of the file, which must not exist.
            fingerprint: of the encoder.
            encoder_state: bytes by file name; with them and its name the encoder is loaded again.
            timeout: seconds to wait for another writer.

        Raises:
            MemoryExistsError: the file is there already.
            MemoryFileError: its folder cannot be written.
        """
        Database.create(
            path,
            lambda connection: make_space(connection, fingerprint, encoder_state, "current"),
        ).close()
        return cls(path, timeout)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that this thread reads inside belongs to one moment."""
        connection = self.database.connection
        if connection.in_transaction:
            yield
            return
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that this thread writes inside is written, or nothing of it."""
        with self.database.transaction():
            yield

    def remove_if_unused(self) -> bool:
        """Remove the file if nothing was ever written to it, while nobody else can write."""
        with self.database.errors():
            connection = self.database.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                unused = not (self.history.newest() or self.rows.count() or self.folders.watched())
                if unused:
                    # The log first: without it the file is an empty memory, which is sound.
                    for file in reversed(files_of(self.path)):
                        file.unlink(missing_ok=True)
            finally:
                connection.execute("ROLLBACK")
        return unused

    def counts(self) -> Counts:
        """Count everything, at one moment."""
        with self.snapshot():
            return self._counts()

    def _counts(self) -> Counts:
        connection = self.database.connection

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        pictures = "SELECT count(*) FROM rows WHERE hash IS NOT NULL"
        labels = connection.execute(
            "SELECT label, count(*) FROM rows WHERE label IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return Counts(
            bytes=self.path.stat().st_size,
            rows=number("SELECT count(*) FROM rows"),
            pictures=number(pictures),
            copied=self.rows.count_copies(),
            texts=number("SELECT coalesce(sum(json_array_length(texts)), 0) FROM rows"),
            question_answers=number("SELECT coalesce(sum(json_array_length(qa)), 0) FROM rows"),
            labels=dict(labels.fetchall()),
            tags=number("SELECT count(DISTINCT value) FROM rows, json_each(rows.tags)"),
            columns=tuple(sorted(self.rows.column_names())),
            without_text=number(f"{pictures} AND texts = '[]'"),
            without_label=number(f"{pictures} AND label IS NULL"),
            without_vector=number(
                f"{pictures} AND row NOT IN (SELECT key FROM {self.vectors.table('vectors')})"
            ),
            near_duplicates=number("SELECT count(*) FROM rows WHERE twin != row"),
            quarantined=number("SELECT count(*) FROM quarantine"),
        )

    def size(self) -> int:
        """Bytes of the file and its log."""
        self.database.check_identity()
        file, log, _ = files_of(self.path)
        return file.stat().st_size + (log.stat().st_size if log.exists() else 0)

    def compact(self) -> None:
        """Give the room of what was deleted back; afterwards nothing of it is left."""
        with self.database.transaction() as connection:
            connection.execute("INSERT INTO keywords (keywords) VALUES ('optimize')")
        with self.database.errors():
            connection = self.database.connection
            connection.execute("VACUUM")
            erase_log(connection, self.path)

    def copy_to(self, file: Path) -> None:
        """Make a new store in a file, with what is there at this moment."""
        self.database.copy_to(file)

    def close(self) -> None:
        """Let go of the file, in all threads."""
        self.database.close()
