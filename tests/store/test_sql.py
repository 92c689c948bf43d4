"""Where statements of SQL stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ravl

SOURCES = Path(ravl.__file__).parent
SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM|SELECT\s+\d|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM"
    r"|CREATE\s+(VIRTUAL\s+|TEMP\s+|UNIQUE\s+)?(TABLE|INDEX|TRIGGER|VIEW)|DROP\s+TABLE|ALTER\s+TABLE"
    r"|PRAGMA\s|VACUUM\b|BEGIN\s+IMMEDIATE|COMMIT\s*$|ROLLBACK\s*$)",
    re.DOTALL,
)
# Scratch tables of readers, in a nameless file that is gone when a table has been read. Readers
# are below the store, and a server's database would not hold them.
SCRATCH = {"data/staging.py", "data/readers/disk_map.py"}


def texts(tree: ast.AST) -> Iterator[str]:
    """All strings of a module, f-strings with a mark in place of each value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values]
            yield "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_all_sql_is_in_the_sqlite_store() -> None:
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if any(SQL.match(text) for text in texts(ast.parse(path.read_text("utf-8"))))
    }
    inside = {path for path in found if path.startswith("store/sqlite/")}
    assert {"store/sqlite/rows.py", "store/sqlite/feedback.py"} <= inside
    assert found - inside == SCRATCH


def test_sqlite_is_imported_by_its_store_alone() -> None:
    """Whoever imports the store's own modules, besides the class itself, is named here."""
    wanted = re.compile(
        r"^\s*(import sqlite3|from ravl\.store\.sqlite\.(?!feedback))", re.MULTILINE
    )
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if wanted.search(path.read_text("utf-8"))
    }
    outside = {path for path in found if not path.startswith("store/sqlite/")}
    # Copies of a memory, and what its file may still hold, are about the file itself.
    files = {"sharing/copies.py", "forgetting/marks.py"}
    assert outside == SCRATCH - {"data/readers/disk_map.py"} | files
