"""Looking at a file that a stranger may have made, before it is used as a memory."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ravl.errors import MemoryFileError
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.schema import check_schema


def check_file(path: Path) -> None:
    """Refuse a file that is damaged, or whose tables are not exactly those of a memory.

    Raises:
        MemoryFileError: it is not a memory, is damaged, or has another schema.
    """
    with contextlib.closing(Database(path)) as database:
        connection = database.connection
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise MemoryFileError(f"{path} is damaged: {verdict}. Push it again.")
        check_schema(connection, path, strict=True)
