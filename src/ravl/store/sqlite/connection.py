"""A connection to SQLite whose errors are those of ravl."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from ravl.errors import MemoryFileError, MemoryLockedError, RavlError

Parameters = Sequence[object]  # in place of the question marks of a statement
Record = tuple[object, ...]


class Connection(sqlite3.Connection):
    """Every statement, and every record that is read, raises errors of ravl.

    A memory may be damaged, or made by a stranger, at any place. So errors become sentences where
    SQLite raises them.
    """

    file = Path()
    timeout = 0.0  # seconds to wait for another writer

    def cursor(self, *_: object) -> Cursor:  # type: ignore[override]
        """A cursor with the same errors; ``execute`` of the connection makes one, too."""
        return super().cursor(Cursor)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of SQLite that are raised inside become errors of ravl."""
        try:
            yield
        except sqlite3.ProgrammingError:  # a mistake of ravl
            raise
        except sqlite3.DatabaseError as error:
            raise sentence(error, self.file, self.timeout) from error


class Cursor(sqlite3.Cursor):
    """See :class:`Connection`."""

    connection: Connection

    def execute(self, sql: str, values: Parameters = (), /) -> Self:  # type: ignore[override]
        """As :meth:`sqlite3.Cursor.execute`."""
        with self.connection.errors():
            return super().execute(sql, values)

    def executemany(  # type: ignore[override]
        self, sql: str, values: Iterable[Parameters], /
    ) -> Self:
        """As :meth:`sqlite3.Cursor.executemany`."""
        with self.connection.errors():
            return super().executemany(sql, values)

    def fetchone(self) -> Record | None:
        """As :meth:`sqlite3.Cursor.fetchone`."""
        with self.connection.errors():
            found: Record | None = super().fetchone()
            return found

    def fetchmany(self, size: int = 1) -> list[Record]:  # type: ignore[override]
        """As :meth:`sqlite3.Cursor.fetchmany`."""
        with self.connection.errors():
            return super().fetchmany(size)

    def fetchall(self) -> list[Record]:
        """As :meth:`sqlite3.Cursor.fetchall`."""
        with self.connection.errors():
            return super().fetchall()

    def __next__(self) -> Record:
        try:  # once for each record: a context would take longer than SQLite
            found: Record = super().__next__()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            raise sentence(error, self.connection.file, self.connection.timeout) from error
        return found


def sentence(error: sqlite3.DatabaseError, file: Path, timeout: float) -> RavlError:
    """What an error of SQLite means to the user.

    Args:
        error: as SQLite raised it.
        file: the memory's.
        timeout: seconds that were waited for another writer.
    """
    text = str(error)
    if "locked" in text or "busy" in text:
        return MemoryLockedError(
            f"Another process is writing to {file} and was not done after {timeout:g} s. Nothing "
            "was changed; try again when it has finished."
        )
    if "full" in text:
        return MemoryFileError(
            f"The disk under {file} is full. What was saved before is intact; make room and run "
            "the same command again."
        )
    if "readonly" in text:
        return MemoryFileError(
            f"{file} cannot be written: it, its folder or its disk is read-only. It can be read. "
            "To change it, copy it to a place where you may write."
        )
    if "unable to open" in text:
        return MemoryFileError(f"{file} cannot be opened: {text}.")
    if "not a database" in text or "malformed" in text:
        return MemoryFileError(f"{file} is not a ravl memory, or is damaged: {text}.")
    return MemoryFileError(
        f"{file} is damaged, or another program has changed it: {text}. Take a copy of the memory "
        "from before, or index the pictures into a new memory."
    )
