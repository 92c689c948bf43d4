"""The SQLite file of a memory: opening, transactions, waiting for other writers, errors."""

from __future__ import annotations

import contextlib
import glob
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from secrets import token_hex

from ravl.addresses import refuse_address
from ravl.errors import MemoryExistsError, MemoryFileError, MemoryLockedError
from ravl.store.sqlite.connection import ERRORS, Connection, sentence
from ravl.store.sqlite.filters import add_functions
from ravl.store.sqlite.schema import check_schema

APPLICATION_ID = 0x7261766C  # "ravl", in the file's header
FileIdentity = tuple[int, int]  # device and inode
FileState = tuple[int, int, int, bool]  # inode, size, time of change; whether there is a log
FORMAT = 1  # raise when schema.sql changes; older files are then migrated when opened
PAGE_SIZE = 16384  # several vectors a page


def files_of(path: Path) -> tuple[Path, ...]:
    """A memory's file, and what SQLite keeps beside it while it is open."""
    return path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))


def identity_of(path: Path) -> FileIdentity | None:
    """Which file has this name now; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def publish(work: Path, path: Path) -> None:
    """Give a complete file its name, unless a file has that name.

    Raises:
        FileExistsError: a file has it.
    """
    try:
        os.link(work, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without links: claim the name, then take its place
        with path.open("xb"):
            pass
        work.replace(path)


def erase_log(connection: sqlite3.Connection, path: Path) -> None:
    """Bring all changes into the file and empty its log, which still has what was deleted.

    Raises:
        MemoryLockedError: another process reads the file as it was before.
    """
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise MemoryLockedError(
            f"Another process reads {path}, so what was deleted is still in the bytes of the file "
            "or of its log, though no search finds it. Repeat the command when the other process "
            "has ended."
        )


def _remove(left: Iterable[Path]) -> None:
    for file in left:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _exists(path: Path) -> MemoryExistsError:
    return MemoryExistsError(f"{path} exists already. Open it, or choose another name.")


class Database:
    """Connections to one memory file: one for each thread, so that readers never wait.

    Write-ahead logging lets any number of processes read while one writes, and makes a commit
    atomic whatever kills the process.

    Args:
        path: the file, which must exist; see :meth:`create`.
        timeout: seconds to wait for another writer.

    Raises:
        MemoryFileError: there is no such file, it is not a memory, or a newer ravl made it.
    """

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self.path = path
        self.timeout = timeout
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._file: FileIdentity | None = None  # that all connections must have open
        try:
            there = path.exists()
        except OSError as error:
            raise MemoryFileError(f"{path} cannot be opened: {error.strerror}.") from error
        if not there:
            refuse_address(path, MemoryFileError)
            raise MemoryFileError(
                f"There is no memory at {path}. Make one with: ravl index PICTURES --memory {path}"
            )
        try:
            with self.errors():
                self._check()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls, path: Path, fill: Callable[[sqlite3.Connection], object], timeout: float = 30.0
    ) -> Database:
        """Make a new file, with what ``fill`` writes into it; all or nothing.

        Of several processes that make the same file at once, one makes it.

        Raises:
            MemoryExistsError: the file is there already.
            MemoryFileError: its folder cannot be written.
        """
        if path.exists():
            raise _exists(path)
        refuse_address(path, MemoryFileError)
        # All or nothing: the file gets its name only when its tables are complete.
        work = path.with_name(f".{path.name}.{token_hex(4)}.making")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(work)) as connection:
                connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
                scripts = [files("ravl.store.sqlite") / s for s in ("schema.sql", "words.sql")]
                # One transaction: each statement by itself would wait for the disk.
                connection.executescript(
                    "BEGIN;\n" + "\n".join(script.read_text("utf-8") for script in scripts)
                )
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                fill(connection)
                connection.commit()
                connection.execute("PRAGMA journal_mode = WAL")
            publish(work, path)
        except (OSError, sqlite3.Error) as error:
            if path.exists():  # another process has made it, and perhaps tidied up
                raise _exists(path) from error
            raise MemoryFileError(f"A memory cannot be made at {path}: {error}.") from error
        finally:
            _remove(files_of(work))
        # Attempts that were killed or came too late have left files that nothing needs.
        _remove(path.parent.glob(f".{glob.escape(path.name)}.*making*"))
        return cls(path, timeout)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and not connection.in_transaction and self._is_outdated():
            connection = None  # it is closed with the others
        if connection is not None and not connection.in_transaction:
            self.check_identity()
        if connection is None:
            with self.errors():
                connection = self._connect()
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    def has_table(self, name: str) -> bool:
        """Whether there is a table of that name; older memories lack some."""
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self.connection.execute(sql, (name,)).fetchone() is not None

    def add_sync_tables(self) -> None:
        """Make the tables that syncing, the trash and deletions need, in a file without them."""
        if not self.has_table("deleted"):
            text = (files("ravl.store.sqlite") / "sync.sql").read_text("utf-8")
            for statement in text.split(";\n"):
                self.connection.execute(statement)

    def log_ahead(self) -> None:
        """Let others read while one writes, from now on; the file remembers it."""
        with self.errors():
            self.connection.execute("PRAGMA journal_mode = WAL")

    def copy_to(self, file: Path) -> None:
        """A new file with what is there at this moment, without what was deleted.

        Raises:
            MemoryFileError: the disk is full, or the file cannot be written.
        """
        with self.errors():
            self.connection.execute("VACUUM INTO ?", (str(file),))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that happens inside is written, or nothing of it. Waits for another writer first.

        Raises:
            MemoryLockedError: another process kept writing for longer than ``timeout`` seconds.
            MemoryFileError: the disk is full, or the file cannot be written or was replaced.
        """
        connection = self.connection
        with self.errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                self.check_identity()
                yield connection
                self.check_identity()
                connection.execute("COMMIT")
                self.check_identity()  # what went to the file of before is not written
            except BaseException:
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turns SQLite's errors into sentences."""
        try:
            yield
        except ERRORS as error:
            raise sentence(error, self.path, self.timeout) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()

    def _connect(self) -> sqlite3.Connection:
        if self._file is not None:
            self.check_identity()
        address, self._local.seen = self._address()
        # Each thread uses its own connection; another thread only ever closes it.
        connection = sqlite3.connect(
            address,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
            uri=True,
        )
        connection.file, connection.timeout = self.path, self.timeout
        try:
            add_functions(connection)
            connection.execute("PRAGMA trusted_schema = OFF")  # the file may be a stranger's
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -65536")  # 64 MB
            self.check_identity()
        except BaseException:
            connection.close()
            raise
        return connection

    def _address(self) -> tuple[str, FileState | None]:
        """How SQLite is to open the file, and its state if only that state can be read.

        SQLite needs to write beside a file to read it while others write. Where it cannot, the file
        is read as it is, without locks; when it changes, it is opened again.

        Raises:
            MemoryFileError: the newest changes are in a log that cannot be read here.
        """
        file, log, index = files_of(self.path)
        uri = file.absolute().as_uri()
        beside = [each for each in (log, index) if each.exists()]
        folder = len(beside) == 2 or os.access(file.parent, os.W_OK)
        if folder and all(os.access(each, os.W_OK) for each in (file, *beside)):
            return uri, None
        if len(beside) == 2:  # somebody has it open who may write
            return f"{uri}?mode=ro", None
        if log.exists() and log.stat().st_size:
            raise MemoryFileError(
                f"{file} was not closed properly: {log.name} holds its newest changes, and cannot "
                "be read where nothing can be written. Open the memory once where it can be "
                "written, or copy both files to such a place."
            )
        return f"{uri}?mode=ro&immutable=1", self._state()

    def _state(self) -> FileState:
        status = self.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns, files_of(self.path)[1].exists()

    def _is_outdated(self) -> bool:
        seen: FileState | None = getattr(self._local, "seen", None)
        return seen is not None and seen != self._state()

    def check_identity(self) -> None:
        """Refuse a file that was put in the place of the one that is open.

        SQLite goes on with the file that it has open, which has no name any more: what is written
        to it is lost with the process.

        Raises:
            MemoryFileError: another file has the name now, or none.
        """
        if getattr(self._local, "seen", None) is not None:
            return  # only read, and opened again when it changes
        found = identity_of(self.path)
        if self._file is None:
            self._file = found
        elif found != self._file:
            what = "removed" if found is None else "replaced by another file"
            raise MemoryFileError(
                f"{self.path} was {what} while it was open. Nothing was written. Open it again; "
                "restart a server that uses it."
            )

    def _check(self) -> None:
        if self.path.is_dir():
            raise MemoryFileError(f"{self.path} is a folder, not a memory.")
        if self._pragma("application_id") != APPLICATION_ID:
            raise MemoryFileError(f"{self.path} is a database, but not a ravl memory.")
        found = self._pragma("user_version")
        if found > FORMAT:
            raise MemoryFileError(
                f"{self.path} was made by a newer ravl (format {found}; this one reads up to "
                f"{FORMAT}). Upgrade with: pip install --upgrade ravl"
            )
        check_schema(self.connection, self.path)

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])
