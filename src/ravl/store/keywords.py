"""Words for the full-text index, and queries against it.

SQLite's tokenizers split at spaces, so a Chinese sentence would be one unfindable word. Runs of
Chinese, Japanese and Korean characters are therefore indexed as their overlapping pairs (and
single characters, for one-character queries), the usual way without a dictionary.
"""

from __future__ import annotations

import json
import re
import sqlite3

from ravl.store.row import Row
from ravl.store.top_k import Positions

CJK = re.compile(
    r"[\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+"
)
WORD = re.compile(r"\w+")
MOST_WORDS = 64  # of a query; the rest of a pasted page would only cost time


def index_row(connection: sqlite3.Connection, row: Row) -> None:
    """Put a row's words into the index in place of what it had there."""
    connection.execute("DELETE FROM keywords WHERE rowid = ?", (row.number,))
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
    connection.execute(
        "INSERT INTO keywords (rowid, texts, label, tags, qa, columns, name) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.number, *map(segment, fields)),
    )


def match_expression(query: str) -> str | None:
    """The FTS5 expression for any of the query's words, or None where it has no word.

    Words are quoted, so that nothing a user types is taken for FTS5's own syntax. The index's
    single characters are asked for only by a query that has no pair to ask for.
    """
    words: list[str] = []
    for word in WORD.findall(CJK.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", query)):
        words.append(word.replace("\x00", ""))
    unique = list(dict.fromkeys(w for w in words if w))[:MOST_WORDS]
    return " OR ".join(f'"{w}"' for w in unique) or None


def segment(text: str) -> str:
    """The text with each run of CJK characters as its pairs and single characters."""
    return CJK.sub(lambda run: f" {' '.join(dict.fromkeys([*_pairs(run[0]), *run[0]]))} ", text)


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def search(
    connection: sqlite3.Connection, query: str, k: int, allowed: Positions | None = None
) -> list[tuple[int, float]]:
    """Best rows by BM25 (Robertson & Zaragoza 2009): (row number, score), higher is better.

    Args:
        connection: of the memory.
        query: free text; any of its words may match.
        k: at most so many.
        allowed: row numbers to choose from, None for all.
    """
    expression = match_expression(query)
    if expression is None:
        return []
    where = "" if allowed is None else "AND rowid IN (SELECT value FROM json_each(?))"
    # A word in a description counts as much as a label, more than one in a file's name.
    sql = f"""SELECT rowid, -bm25(keywords, 1, 1, 1, 1, 1, 0.5) AS score FROM keywords
              WHERE keywords MATCH ? {where} ORDER BY score DESC, rowid LIMIT ?"""
    values = [expression, *([] if allowed is None else [json.dumps(allowed.tolist())]), k]
    return [(int(row), float(score)) for row, score in connection.execute(sql, values)]
