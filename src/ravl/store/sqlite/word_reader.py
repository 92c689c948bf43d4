"""What the full-text index knows of words: in which rows they are, and how long rows are.

The index is asked through ``fts5vocab``, which lists every place of a word.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.store.sqlite.bm25 import WEIGHTS
from ravl.store.top_k import Positions

Ints = NDArray[np.int32]
# A word's row and whether it is in the name, as one number; the row number is read back by a shift.
PLACES = "SELECT group_concat(doc * 2 + (col = 'name')) FROM temp.places WHERE term = ?"


class Posting(NamedTuple):
    """The rows of a word.

    Args:
        rows: their numbers, (n,), ascending.
        often: how many times each has the word, a place in its name for half, (n,) float32.
    """

    rows: Ints
    often: Array


@cache
def index_statement() -> str:
    """The statement that makes the full-text index, without comments and its semicolon."""
    script = (files("ravl.store.sqlite") / "words.sql").read_text("utf-8")
    lines = (line for line in script.splitlines() if not line.startswith("--"))
    return "\n".join(lines).strip().removesuffix(";")


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Rows and words of the index, as FTS5 keeps them."""
    found = connection.execute("SELECT block FROM keywords_data WHERE id = 1").fetchone()
    sums = _sizes([found[0]])[0] if found is not None and found[0] else []
    return (int(sums[0]), int(sum(sums[1:]))) if len(sums) else (0, 0)


def stems(words: Sequence[str]) -> list[str] | None:
    """What the index has in place of each word; None where a word is not one to its tokenizer."""
    with _scratch() as scratch:
        _put(scratch, ((i, word, *[""] * (len(WEIGHTS) - 1)) for i, word in enumerate(words)))
        found = scratch.execute("SELECT doc, term FROM temp.places ORDER BY doc").fetchall()
    return [t for _, t in found] if [n for n, _ in found] == list(range(len(words))) else None


def posting(connection: sqlite3.Connection, stem: str) -> Posting:
    """All rows of a word."""
    _list_places(connection)
    return _posting(connection, stem)


def postings_of(
    connection: sqlite3.Connection, rows: Sequence[int], wanted: Iterable[str]
) -> dict[str, Posting]:
    """Those of some rows that have a word, for each of the words."""
    columns = ", ".join(WEIGHTS)
    records = connection.execute(
        f"SELECT rowid, {columns} FROM keywords WHERE rowid IN (SELECT value FROM json_each(?))",
        (json.dumps(rows),),
    ).fetchall()
    with _scratch() as scratch:
        _put(scratch, records)
        return {stem: _posting(scratch, stem) for stem in wanted}


def lengths(
    connection: sqlite3.Connection, rows: Sequence[int] | None = None
) -> tuple[Positions, Ints]:
    """Numbers of rows (n,), of all or of some, ascending, and how many words they have (n,)."""
    sql, values = "SELECT id, sz FROM keywords_docsize", []
    if rows is not None:
        sql += " WHERE id IN (SELECT value FROM json_each(?))"
        values = [json.dumps(rows)]
    found = connection.execute(f"{sql} ORDER BY id", values).fetchall()
    numbers = np.array([row for row, _ in found], np.int64)
    return numbers, np.array([sum(each) for each in _sizes([size for _, size in found])], np.int32)


@contextlib.contextmanager
def _scratch() -> Iterator[sqlite3.Connection]:
    """An empty index with the same tokenizer, in memory."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute(index_statement())
        _list_places(scratch)
        scratch.execute("BEGIN")
        yield scratch


def _put(scratch: sqlite3.Connection, records: Iterable[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(WEIGHTS))
    sql = f"INSERT INTO keywords (rowid, {', '.join(WEIGHTS)}) VALUES (?, {marks})"
    scratch.executemany(sql, records)


def _list_places(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.places USING fts5vocab (main, keywords, instance)"
    )


def _posting(connection: sqlite3.Connection, stem: str) -> Posting:
    text = connection.execute(PLACES, (stem,)).fetchone()[0]
    places = np.fromstring(text, np.int64, sep=",") if text else np.zeros(0, np.int64)
    rows = places >> 1
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    weights = np.where(places & 1, WEIGHTS["name"], 1.0)
    often = np.add.reduceat(weights, first) if len(first) else weights
    return Posting(rows[first].astype(np.int32), often.astype(np.float32))


def _sizes(blobs: Iterable[bytes]) -> list[list[int]]:
    """The numbers in records of FTS5: 7 bits a byte, the highest bit set but in the last one."""
    found = []
    for blob in blobs:
        if max(blob, default=0) < 0x80:
            found.append(list(blob))
            continue
        numbers, value = [], 0
        for byte in blob:
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                numbers.append(value)
                value = 0
        found.append(numbers)
    return found
