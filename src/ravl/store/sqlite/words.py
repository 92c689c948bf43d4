"""The full-text index, FTS5."""

from __future__ import annotations

import json
import sqlite3
from importlib.resources import files
from pathlib import Path

from ravl.store.keywords import segment, words_of
from ravl.store.row import Row
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.records import COLUMNS, from_record
from ravl.store.top_k import Positions

PAGE = 1000  # rows that are read together


def match_expression(query: str) -> str | None:
    """The FTS5 expression for any of the query's words, or None where it has no word.

    Words are quoted, so that nothing a user types is taken for FTS5's own syntax.
    """
    return " OR ".join(f'"{word}"' for word in words_of(query)) or None


class WordIndex:
    """The words of a memory; see :class:`ravl.store.contract.Words`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def renew(self) -> None:
        """Make the index anew if an older ravl made it, which had other words."""
        sql = "SELECT sql FROM sqlite_master WHERE name = 'keywords'"
        script = (files("ravl.store.sqlite") / "words.sql").read_text("utf-8")
        if self._connection.execute(sql).fetchone()[0].split() == _statement(script).split():
            return
        with self._database.transaction() as connection:
            connection.execute("DROP TABLE keywords")
            connection.execute(_statement(script))
            last = 0
            while records := connection.execute(
                f"SELECT {COLUMNS} FROM rows WHERE row > ? ORDER BY row LIMIT {PAGE}", (last,)
            ).fetchall():
                for record in records:
                    self.put(from_record(record, Path()))
                last = records[-1][0]

    def put(self, row: Row) -> None:
        """Put a row's words into the index in place of what it had there."""
        self.delete(row.number)
        qa = [part for q in row.qa for part in (q.question, *q.answers)]
        values = [v for v in row.columns.values() if isinstance(v, str)]
        fields = [
            "\n".join(row.texts),
            row.label or "",
            "\n".join(row.tags),
            "\n".join(qa),
            "\n".join(values),
            row.id.replace("_", " "),
        ]
        self._connection.execute(
            "INSERT INTO keywords (rowid, texts, label, tags, qa, columns, name) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.number, *map(segment, fields)),
        )

    def delete(self, number: int) -> None:
        """Take a row's words out of the index."""
        self._connection.execute("DELETE FROM keywords WHERE rowid = ?", (number,))

    def search(
        self, query: str, k: int, allowed: Positions | None = None
    ) -> list[tuple[int, float]]:
        """Best rows by BM25: (row number, score), higher is better."""
        expression = match_expression(query)
        if expression is None:
            return []
        where = "" if allowed is None else "AND rowid IN (SELECT value FROM json_each(?))"
        # A word in a description counts as much as a label, more than one in a file's name.
        sql = f"""SELECT rowid, -bm25(keywords, 1, 1, 1, 1, 1, 0.5) AS score FROM keywords
                  WHERE keywords MATCH ? {where} ORDER BY score DESC, rowid LIMIT ?"""
        values = [expression, *([] if allowed is None else [json.dumps(allowed.tolist())]), k]
        return [(int(row), float(score)) for row, score in self._connection.execute(sql, values)]


def _statement(script: str) -> str:
    """The one statement of a script, without its comments and its semicolon."""
    lines = (line for line in script.splitlines() if not line.startswith("--"))
    return "\n".join(lines).strip().removesuffix(";")
