"""Rows that speak of the same picture become one, on disk, however far apart they stand.

A caption table has five rows a picture, a table of questions fifty, and COCO keeps pictures and
captions in two lists. Readers put what they read into a :class:`Staging` and get it back grouped
by id, in order of first appearance. Everything lies in a temporary SQLite database, so that a
table of millions of rows never sits in memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

from ravl.data.example import QA, Rejected, Scalar
from ravl.errors import DataError

CACHE_KIB = 16_384  # what SQLite may keep in memory, of the database and again of a sort
BATCH = 2_000  # rows written at once

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(slots=True)
class Row:
    """What one row of a source says, before it is joined with the others of the same id.

    Args:
        id: rows with the same id are joined.
        picture: a path as written, encoded bytes, or the number by which the reader finds it.
        same: what tells two pictures apart: the path in normal form, or a hash of the bytes.
        texts, label, tags, qa, columns: as in :class:`ravl.data.Example`.
        place: where it stands within its source, for people: "line 12".
    """

    id: str
    picture: str | bytes | int | None = None
    same: str = ""
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    qa: tuple[QA, ...] = ()
    columns: dict[str, Scalar] = field(default_factory=dict)
    place: str = ""


class Staging:
    """Groups rows by id on disk. A context manager: its database is gone at the end.

    Args:
        where: the source's name, which stands before every place: "shop.csv".
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._waiting: list[tuple[Any, ...]] = []
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE rows (number INTEGER PRIMARY KEY, id TEXT, picture, same TEXT, "
            "place TEXT, rest BLOB)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def fill(self, rows: Iterable[Row | Rejected]) -> Iterator[Rejected]:
        """Takes in every row, and passes on what was set aside."""
        for row in rows:
            refused = row if isinstance(row, Rejected) else self._add(row)
            if refused:
                yield refused
        self._write()
        self._order()

    def __len__(self) -> int:
        """How many different ids there are; known once :meth:`fill` is through."""
        count: int = self._database.execute(
            "SELECT count(*) FROM plan WHERE number = first"
        ).fetchone()[0]
        return count

    def __iter__(self) -> Iterator[Row | Rejected]:
        """Joined rows in order of first appearance, each followed by its contradictions."""
        found = self._database.execute(
            "SELECT first, id, picture, same, place, rest FROM plan JOIN rows USING (number) "
            "ORDER BY first, number"
        )
        for _, group in groupby(found, key=itemgetter(0)):
            row = _unpack(next(group))
            yield from _join(row, map(_unpack, group), self._where)

    def _add(self, row: Row) -> Rejected | None:
        try:
            row.id.encode()
            self._waiting.append((row.id, row.picture, row.same, row.place, _pack(row)))
        except UnicodeEncodeError:  # JSON may escape half of a surrogate pair; no file may hold it
            reason = "a text in it holds half a character (a lone surrogate); write it as UTF-8"
            return Rejected(f"{self._where}, {row.place}", reason)
        if len(self._waiting) >= BATCH:
            self._write()
        return None

    def _write(self) -> None:
        statement = "INSERT INTO rows (id, picture, same, place, rest) VALUES (?, ?, ?, ?, ?)"
        with full_disk_explained():
            self._database.executemany(statement, self._waiting)
        self._waiting.clear()

    def _order(self) -> None:
        """Sorts numbers, not rows: the rows stay where they are, and are mostly read in order."""
        with full_disk_explained():
            self._database.execute(
                "CREATE TABLE plan (first INTEGER, number INTEGER, PRIMARY KEY (first, number)) "
                "WITHOUT ROWID"
            )
            self._database.execute(
                "INSERT INTO plan SELECT min(number) OVER (PARTITION BY id) AS first, number "
                "FROM rows ORDER BY first, number"
            )


class DiskMap:
    """A dictionary of text on disk, for joins of millions of entries. A context manager."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute("CREATE TABLE map (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def __setitem__(self, key: str, value: str) -> None:
        with full_disk_explained():
            self._database.execute(
                "INSERT OR REPLACE INTO map VALUES (?, ?)", (_bytes(key), _bytes(value))
            )

    def __contains__(self, key: str) -> bool:
        found = self._database.execute("SELECT 1 FROM map WHERE key = ?", (_bytes(key),))
        return found.fetchone() is not None

    def pop(self, key: str) -> str | None:
        """The value of a key, which is then forgotten; None where there is none."""
        found = self._database.execute("SELECT value FROM map WHERE key = ?", (_bytes(key),))
        row = found.fetchone()
        if row is None:
            return None
        self._database.execute("DELETE FROM map WHERE key = ?", (_bytes(key),))
        return _text(row[0])

    def __iter__(self) -> Iterator[str]:
        """The keys, sorted."""
        for (key,) in self._database.execute("SELECT key FROM map ORDER BY key"):
            yield _text(key)


def temporary_database() -> sqlite3.Connection:
    """A database of its own on disk that is gone when it is closed, or the process is killed.

    It lies in ``SQLITE_TMPDIR``, ``TMPDIR`` or ``/var/tmp``, unlinked from its first moment.
    """
    # Generators may be driven by other threads than the one that began them, one at a time.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    return database


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turns SQLite's "database or disk is full" into what a user can do about it.

    Raises:
        DataError: where the temporary folder is full or cannot be written to.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DataError(
            f"The rows could not be sorted on disk ({error}). "
            "Set TMPDIR to a folder with more room, and try again."
        ) from error


def _join(first: Row, later: Iterable[Row], where: str) -> Iterator[Row | Rejected]:
    """One row of many. What contradicts an earlier row is told once for each field."""
    quarrels: dict[str, Rejected] = {}
    places = {"label": first.place, "picture": first.place}
    column_places = dict.fromkeys(first.columns, first.place)

    def differ(field: str, was: object, said: str, now: object, place: str) -> None:
        reason = (
            f"the id {first.id!r} has {field} {was!r} in {said} and {now!r} in {place}; "
            "the first is kept"
        )
        quarrels.setdefault(field, Rejected(f"{where}, {place}", reason))

    for row in later:
        if row.picture is not None and first.picture is None:
            first.picture, first.same, places["picture"] = row.picture, row.same, row.place
        elif row.picture is not None and row.same != first.same:
            yield _other_picture(first, places["picture"], row, where)
            continue
        first.texts += tuple(t for t in row.texts if t not in first.texts)
        first.tags += tuple(t for t in row.tags if t not in first.tags)
        first.qa = _join_qa(first.qa, row.qa)
        if first.label is None and row.label is not None:
            first.label, places["label"] = row.label, row.place
        elif row.label is not None and row.label != first.label:
            differ("label", first.label, places["label"], row.label, row.place)
        for name, value in row.columns.items():
            if name not in first.columns:
                first.columns[name], column_places[name] = value, row.place
            elif value != first.columns[name]:
                differ(name, first.columns[name], column_places[name], value, row.place)
    yield from quarrels.values()
    yield first


def _other_picture(first: Row, place: str, row: Row, where: str) -> Rejected:
    pictures = f"{_shown(first)} in {place} and {_shown(row)} in {row.place}"
    return Rejected(
        f"{where}, {row.place}",
        f"the id {first.id!r} stands for two pictures, {pictures}; "
        "the first is kept, and the other needs an id of its own",
    )


def _shown(row: Row) -> str:
    return repr(row.picture) if isinstance(row.picture, str) else f"bytes {row.same}"


def _join_qa(first: tuple[QA, ...], later: tuple[QA, ...]) -> tuple[QA, ...]:
    if not first or not later:
        return first or later
    joined = {qa.question: qa for qa in first}
    for qa in later:
        known = joined.get(qa.question)
        if known is not None:
            new = tuple(a for a in qa.answers if a not in known.answers)
            qa = QA(qa.question, known.answers + new)
        joined[qa.question] = qa
    return tuple(joined.values())


def _pack(row: Row) -> bytes:
    qa = [(q.question, q.answers) for q in row.qa] if row.qa else ()
    return _encode((row.texts, row.label, row.tags, qa, row.columns)).encode()


def _unpack(found: tuple[Any, ...]) -> Row:
    _, id, picture, same, place, rest = found
    texts, label, tags, qa, columns = json.loads(rest)
    qas = tuple([QA(question, tuple(answers)) for question, answers in qa])
    return Row(id, picture, same, tuple(texts), label, tuple(tags), qas, columns, place)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")
