"""The full-text index, FTS5."""

from __future__ import annotations

import json
import sqlite3

from ravl.store.keywords import segment, words_of
from ravl.store.row import Row
from ravl.store.sqlite.database import Database
from ravl.store.top_k import Positions


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
