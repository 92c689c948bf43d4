"""BM25 as FTS5 computes it: the expression that asks for it, and its parts."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable

from ravl.store.top_k import Positions

# A word in a description counts as much as a label, more than one in a file's name.
WEIGHTS = {"texts": 1.0, "label": 1.0, "tags": 1.0, "qa": 1.0, "columns": 1.0, "name": 0.5}
K1, B = 1.2, 0.75  # FTS5 allows no others
LEAST_WORTH = 1e-6  # of a word that more than half of the rows have


def match_expression(words: Iterable[str]) -> str:
    """The FTS5 expression for any of the words.

    They are quoted, so that nothing a user types is taken for FTS5's own syntax.
    """
    return " OR ".join(f'"{word}"' for word in words)


def best(
    connection: sqlite3.Connection, words: Iterable[str], k: int, allowed: Positions | None
) -> list[tuple[int, float]]:
    """The k best rows for any of the words: (row number, score), higher is better.

    FTS5 counts the rows of each word anew, and scores every row that has one of them.

    Args:
        connection: to the memory.
        words: at least one.
        k: how many rows.
        allowed: numbers of the rows to choose from, None for all.
    """
    # The plus keeps SQLite from asking FTS5 once for each allowed row.
    where = "" if allowed is None else "AND +rowid IN (SELECT value FROM json_each(?))"
    weights = ", ".join(str(weight) for weight in WEIGHTS.values())
    sql = f"""SELECT rowid, -bm25(keywords, {weights}) AS score FROM keywords
              WHERE keywords MATCH ? {where} ORDER BY score DESC, rowid LIMIT ?"""
    chosen = [] if allowed is None else [json.dumps(allowed.tolist())]
    found = connection.execute(sql, [match_expression(words), *chosen, k])
    return [(int(row), float(score)) for row, score in found]


def worth(count: int, rows: int) -> float:
    """The weight of a word that is in ``count`` of so many rows (inverse document frequency)."""
    found = math.log((rows - count + 0.5) / (count + 0.5))
    return found if found > 0 else LEAST_WORTH
