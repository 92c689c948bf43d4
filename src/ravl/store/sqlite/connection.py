"""A connection to SQLite whose errors are those of ravl."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from ravl.errors import MemoryFileError, MemoryLockedError, RavlError

Parameters = Sequence[object]  # in place of the question marks of a statement
Record = tuple[object, ...]
# The second, where SQLite wants to say which name in a damaged file is not one.
ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)


class Connection(sqlite3.Connection):
    """Every statement, and every record that is read, raises errors of ravl.

    A memory may be damaged, or made by a stranger, at any place. So errors become sentences where
    SQLite raises them.
    """

    file = Path()
    timeout = 0.0  # seconds to wait for another writer

    def cursor(self, *_: object) -> Cursor:  # type: ignore[override]
        """A cursor with the same errors."""
        return Cursor(self)

    def execute(self, sql: str, values: Parameters = (), /) -> Cursor:  # type: ignore[override]
        """As :meth:`sqlite3.Connection.execute`."""
        return self.cursor().execute(sql, values)

    def executemany(  # type: ignore[override]
        self, sql: str, values: Iterable[Parameters], /
    ) -> Cursor:
        """As :meth:`sqlite3.Connection.executemany`."""
        return self.cursor().executemany(sql, values)

    def executescript(self, script: str, /) -> Cursor:
        """As :meth:`sqlite3.Connection.executescript`."""
        cursor = self.cursor()
        try:
            cursor.executescript(script)
            return cursor
        except ERRORS as error:
            raise self.sentence(error) from error

    def sentence(self, error: Exception) -> Exception:
        """The error of ravl for one of SQLite's; a mistake of ravl itself stays what it is."""
        if isinstance(error, sqlite3.ProgrammingError):
            return error
        return sentence(error, self.file, self.timeout)


class Cursor(sqlite3.Cursor):
    """See :class:`Connection`."""

    connection: Connection

    # A context manager would take longer than what SQLite does for one record.

    def execute(self, sql: str, values: Parameters = (), /) -> Self:  # type: ignore[override]
        """As :meth:`sqlite3.Cursor.execute`."""
        try:
            return super().execute(sql, values)
        except ERRORS as error:
            raise self.connection.sentence(error) from error

    def executemany(  # type: ignore[override]
        self, sql: str, values: Iterable[Parameters], /
    ) -> Self:
        """As :meth:`sqlite3.Cursor.executemany`."""
        try:
            return super().executemany(sql, values)
        except ERRORS as error:
            raise self.connection.sentence(error) from error

    def fetchone(self) -> Record | None:
        """As :meth:`sqlite3.Cursor.fetchone`."""
        try:
            found: Record | None = super().fetchone()
        except ERRORS as error:
            raise self.connection.sentence(error) from error
        return found

    def fetchmany(self, size: int = 1) -> list[Record]:  # type: ignore[override]
        """As :meth:`sqlite3.Cursor.fetchmany`."""
        try:
            return super().fetchmany(size)
        except ERRORS as error:
            raise self.connection.sentence(error) from error

    def fetchall(self) -> list[Record]:
        """As :meth:`sqlite3.Cursor.fetchall`."""
        try:
            return super().fetchall()
        except ERRORS as error:
            raise self.connection.sentence(error) from error

    def __next__(self) -> Record:
        try:
            found: Record = super().__next__()
        except ERRORS as error:
            raise self.connection.sentence(error) from error
        return found


def sentence(error: Exception, file: Path, timeout: float) -> RavlError:
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
