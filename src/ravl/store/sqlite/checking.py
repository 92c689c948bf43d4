"""Looking at a file that a stranger may have made, before it is used as a memory."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from ravl.errors import MemoryFileError
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.spaces import create_tables

SCRIPTS = ("schema.sql", "words.sql")  # of every memory
LATER = ("sync.sql", "claims.sql")  # tables that are made when they are first needed
OLD = (  # statements of older memories
    "CREATE VIRTUAL TABLE keywords USING fts5 ( texts, label, tags, qa, columns, name, "
    'tokenize = "porter unicode61 remove_diacritics 2" )',
)

Schema = dict[tuple[str, str], str]  # statements by the type and name of what they make


def check_file(path: Path) -> None:
    """Refuse a file that is damaged, or whose tables are not exactly those of a memory.

    A table of another form could run SQL of its own: in a trigger, a view, an index, a check or a
    generated column.

    Raises:
        MemoryFileError: it is not a memory, is damaged, or has another schema.
    """
    with contextlib.closing(Database(path)) as database, database.errors():
        connection = database.connection
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise MemoryFileError(f"{path} is damaged: {verdict}. Push it again.")
        found = _schema(connection)
        required = _expected(SCRIPTS, ())
        for kind, name in required.keys() - found.keys():
            raise MemoryFileError(f"{path} is not a ravl memory: it has no {kind} {name!r}.")
        spaces = [space for (space,) in connection.execute("SELECT space FROM spaces")]
        expected = _expected((*SCRIPTS, *LATER), spaces)
        for (kind, name), sql in found.items():
            if sql not in (expected.get((kind, name)), *OLD):
                raise MemoryFileError(
                    f"{path} has a {kind}, {name!r}, that is not one of a memory of this ravl. A "
                    "newer ravl may have made it: upgrade with pip install --upgrade ravl. "
                    "Otherwise do not use the file, and ask the person who pushed it."
                )


def _expected(scripts: Iterable[str], spaces: Iterable[int]) -> Schema:
    """The schema of a memory with these spaces."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for script in scripts:
            connection.executescript((files("ravl.store.sqlite") / script).read_text("utf-8"))
        for space in spaces:
            create_tables(connection, int(space))
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> Schema:
    """All that a file defines; SQLite makes what has no statement, and the tables of an index."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        (kind, name): _normal(sql)
        for kind, name, sql in found
        if not (
            kind == "table" and re.fullmatch("keywords_(data|idx|content|docsize|config)", name)
        )
    }


def _normal(sql: str) -> str:
    """A statement without comments and line breaks; the quotes come from renaming a table."""
    words = " ".join(re.sub("--.*", "", sql).split())
    return re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", words)
