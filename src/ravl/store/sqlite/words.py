"""The full-text index, FTS5."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ravl.store.keywords import segment, words_of
from ravl.store.row import Row
from ravl.store.sqlite.bm25 import best
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.frequent_words import FrequentWords
from ravl.store.sqlite.records import COLUMNS, from_record
from ravl.store.sqlite.word_reader import index_statement
from ravl.store.top_k import Positions

PAGE = 1000  # rows that are read together


class WordIndex:
    """The words of a memory; see :class:`ravl.store.contract.Words`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frequent = FrequentWords()

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def renew(self) -> None:
        """Make the index anew if an older ravl made it, which had other words."""
        sql = "SELECT sql FROM sqlite_master WHERE name = 'keywords'"
        made = index_statement()
        if self._connection.execute(sql).fetchone()[0].split() == made.split():
            return
        with self._database.transaction() as connection:
            connection.execute("DROP TABLE keywords")
            connection.execute(made)
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
        """Best rows by BM25: (row number, score), higher is better.

        Words that are asked for again are kept; see :mod:`ravl.store.sqlite.frequent_words`.
        """
        words = words_of(query)
        if not words:
            return []
        found = self._frequent.search(self._connection, words, k, allowed)
        return best(self._connection, words, k, allowed) if found is None else found
