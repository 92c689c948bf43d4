"""What a memory's file defines: the tables that ravl makes, and what else a stranger may add.

A table of another form could run SQL of its own: in a trigger, a view, an index, a check or a
generated column.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from ravl.errors import MemoryFileError
from ravl.store.space import KINDS, Kind

SCRIPTS = ("schema.sql", "words.sql")  # of every memory
LATER = ("sync.sql", "claims.sql", "lookup.sql")  # made when they are first needed
OLD = (  # statements of older memories
    "CREATE VIRTUAL TABLE keywords USING fts5 ( texts, label, tags, qa, columns, name, "
    'tokenize = "porter unicode61 remove_diacritics 2" )',
)
OF_INDEX = re.compile("keywords_(data|idx|content|docsize|config)")  # tables of the word index
ADVICE = (
    "A newer ravl may have made it: upgrade with pip install --upgrade ravl. Otherwise do not use "
    "the file, and ask the person that it is from."
)

Name = tuple[str, str]  # the type and the name of what a statement makes


def table_name(kind: Kind, space: int) -> str:
    """Name of the table with one space's vectors of this kind."""
    return f"{kind}_{int(space)}"


def vector_table(kind: Kind, space: int) -> str:
    """The statement that makes the table."""
    name = table_name(kind, space)
    return f"CREATE TABLE {name} (key INTEGER PRIMARY KEY, vector BLOB NOT NULL) STRICT"


def check_schema(connection: sqlite3.Connection, path: Path, strict: bool = False) -> None:
    """Refuse a file whose tables are not those of a memory.

    Args:
        connection: to the file.
        path: of the file, for the error.
        strict: refuse everything that ravl does not make, for a file of somebody else. Otherwise
            what has another name passes, but for triggers: nothing reads it, and a newer ravl may
            have made it.

    Raises:
        MemoryFileError: a table is missing or has another form, or there is a trigger.
    """
    found = _schema(connection)
    for kind, name in _statements(SCRIPTS).keys() - found.keys():
        raise MemoryFileError(f"{path} is not a ravl memory: it has no {kind} {name!r}.")
    expected = dict(_statements((*SCRIPTS, *LATER)))
    for (space,) in connection.execute("SELECT space FROM spaces").fetchall():
        for kind in KINDS:
            expected["table", table_name(kind, space)] = _normal(vector_table(kind, space))
    names = {name for _, name in expected}
    for (kind, name), sql in found.items():
        if sql in (expected.get((kind, name)), *OLD):
            continue
        if strict or name in names or kind == "trigger":
            raise MemoryFileError(
                f"{path} has a {kind}, {name!r}, that is not one of a memory of this ravl. {ADVICE}"
            )


@cache
def _statements(scripts: Iterable[str]) -> dict[Name, str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for script in scripts:
            connection.executescript((files("ravl.store.sqlite") / script).read_text("utf-8"))
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> dict[Name, str]:
    """All that a file defines; SQLite makes what has no statement, and the tables of an index."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        (str(kind), str(name)): _normal(str(sql))
        for kind, name, sql in found.fetchall()
        if not (kind == "table" and OF_INDEX.fullmatch(str(name)))
    }


def _normal(sql: str) -> str:
    """A statement without comments and line breaks; the quotes come from renaming a table."""
    words = " ".join(re.sub("--.*", "", sql).split())
    return re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", words)
