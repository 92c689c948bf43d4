"""Merge the rows about one picture, on disk, even if they are far apart.

A caption table has five rows per picture, a table of questions fifty, and COCO has pictures and
captions in two lists. Readers write their rows to a :class:`Staging` and read them back grouped by
id, in order of first appearance. The rows are in a temporary SQLite database, so a table of
millions of rows does not need main memory.
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

CACHE_KIB = 16_384  # memory limit of SQLite, for the database and again for sorting
BATCH = 2_000  # rows written at once

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_decode = json.JSONDecoder().raw_decode


@dataclass(slots=True)
class Row:
    """One row of a source, before it is joined with the other rows of the same id.

    Args:
        id: rows with the same id are joined.
        picture: a path from the source, encoded bytes, or the number by which the reader finds it.
        same: the identity of the picture: the path in normal form, or a hash of the bytes.
        texts, label, tags, qa, columns: as in :class:`ravl.data.Example`.
        source: the origin that the row itself names; "" if it names none.
        place: the place in the source, for messages: "line 12".
    """

    id: str
    picture: str | bytes | int | None = None
    same: str = ""
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    qa: tuple[QA, ...] = ()
    columns: dict[str, Scalar] = field(default_factory=dict)
    source: str = ""
    place: str = ""


class Staging:
    """Groups rows by id on disk. A context manager: the database is deleted at the end.

    Args:
        where: the source's name, in front of every place: "shop.csv".
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._waiting: list[tuple[Any, ...]] = []
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE rows (number INTEGER PRIMARY KEY, id TEXT, picture, same TEXT, "
            "place TEXT, rest TEXT)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def fill(self, rows: Iterable[Row | Rejected]) -> Iterator[Rejected]:
        """Store every row, and yield rejected items."""
        for row in rows:
            refused = row if isinstance(row, Rejected) else self._add(row)
            if refused:
                yield refused
        self._write()
        self._order()

    def __len__(self) -> int:
        """The number of different ids; known after :meth:`fill`."""
        count: int = self._database.execute(
            "SELECT count(*) FROM plan WHERE number = first"
        ).fetchone()[0]
        return count

    def __iter__(self) -> Iterator[Row | Rejected]:
        """Joined rows in order of first appearance, each preceded by its contradictions."""
        found = self._database.execute(
            "SELECT first, id, picture, same, place, rest FROM plan JOIN rows USING (number) "
            "ORDER BY first, number"
        )
        for _, group in groupby(found, key=itemgetter(0)):
            rows = map(_unpack, group)
            first, joined = next(rows), None
            for row in rows:
                joined = joined or _Joined(first, self._where)
                yield from joined.add(row)
            yield joined.done() if joined else first

    def _add(self, row: Row) -> Rejected | None:
        try:
            rest = _pack(row)
            (row.id + row.same + rest).encode()
            self._waiting.append((row.id, row.picture, row.same, row.place, rest))
        except UnicodeEncodeError:
            # JSON can escape half of a surrogate pair, which cannot be written to a file
            reason = "a text contains half a character (a lone surrogate); write it as UTF-8"
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
        """Sort numbers, not rows: the rows stay in place, and are mostly read in order."""
        with full_disk_explained():
            self._database.execute(
                "CREATE TABLE plan (first INTEGER, number INTEGER, PRIMARY KEY (first, number)) "
                "WITHOUT ROWID"
            )
            self._database.execute(
                "INSERT INTO plan SELECT min(number) OVER (PARTITION BY id) AS first, number "
                "FROM rows ORDER BY first, number"
            )


def temporary_database() -> sqlite3.Connection:
    """A temporary database on disk; it disappears when it is closed or the process is killed.

    It is in ``SQLITE_TMPDIR``, ``TMPDIR`` or ``/var/tmp``, and is unlinked at once.
    """
    # A generator can be continued by another thread than the one that started it.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")  # never committed: each commit would write to disk
    return database


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn SQLite's "database or disk is full" into an error that says what to do.

    Raises:
        DataError: if the temporary folder is full or cannot be written to.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DataError(
            f"The rows could not be sorted on disk ({error}). "
            "Set TMPDIR to a folder with more space, and try again."
        ) from error


class _Joined:
    """One row from several; a contradiction is reported once for each field."""

    def __init__(self, first: Row, where: str) -> None:
        self.row = first
        self._where = where
        self._texts, self._tags = list(first.texts), list(first.tags)
        self._known_texts, self._known_tags = set(first.texts), set(first.tags)
        self._qa = {qa.question: qa for qa in first.qa}
        self._label_place = self._picture_place = first.place
        self._column_places = dict.fromkeys(first.columns, first.place)
        self._quarrels: set[str] = set()

    def add(self, row: Row) -> Iterator[Rejected]:
        if row.picture is not None and self.row.picture is None:
            self.row.picture, self.row.same = row.picture, row.same
            self._picture_place = row.place
        elif row.picture is not None and row.same != self.row.same:
            yield self._other_picture(row)
            return
        _append(row.texts, self._texts, self._known_texts)
        _append(row.tags, self._tags, self._known_tags)
        for qa in row.qa:
            self._add_qa(qa)
        yield from self._add_label(row)
        yield from self._add_columns(row)

    def done(self) -> Row:
        self.row.texts, self.row.tags = tuple(self._texts), tuple(self._tags)
        self.row.qa = tuple(self._qa.values())
        return self.row

    def _add_qa(self, qa: QA) -> None:
        known = self._qa.get(qa.question)
        if known is not None:
            new = tuple(a for a in qa.answers if a not in known.answers)
            qa = QA(qa.question, known.answers + new)
        self._qa[qa.question] = qa

    def _add_label(self, row: Row) -> Iterator[Rejected]:
        if self.row.label is None:
            self.row.label, self._label_place = row.label, row.place
        elif row.label is not None and row.label != self.row.label:
            yield from self._quarrel(
                "label", self.row.label, self._label_place, row.label, row.place
            )

    def _add_columns(self, row: Row) -> Iterator[Rejected]:
        known = self.row.columns
        for name, value in row.columns.items():
            if name not in known:
                known[name], self._column_places[name] = value, row.place
            elif value != known[name]:
                yield from self._quarrel(
                    name, known[name], self._column_places[name], value, row.place
                )

    def _quarrel(
        self, field: str, was: Scalar, before: str, now: Scalar, place: str
    ) -> Iterator[Rejected]:
        if field in self._quarrels:
            return
        self._quarrels.add(field)
        reason = (
            f"the id {self.row.id!r} has {field} {was!r} in {before} and {now!r} in {place}; "
            "the first is kept"
        )
        yield Rejected(f"{self._where}, {place}", reason)

    def _other_picture(self, row: Row) -> Rejected:
        reason = (
            f"the id {self.row.id!r} stands for two pictures, {_shown(self.row)} in "
            f"{self._picture_place} and {_shown(row)} in {row.place}; the first is kept, "
            "and the other one needs a different id"
        )
        return Rejected(f"{self._where}, {row.place}", reason)


def _append(new: Iterable[str], kept: list[str], known: set[str]) -> None:
    fresh = [text for text in new if text not in known]
    kept += fresh
    known.update(fresh)


def _shown(row: Row) -> str:
    return repr(row.picture) if isinstance(row.picture, str) else f"bytes {row.same[:12]}"


def _pack(row: Row) -> str:
    qa = [(q.question, q.answers) for q in row.qa] if row.qa else ()
    return _encode((row.texts, row.label, row.tags, qa, row.columns, row.source))


def _unpack(found: tuple[Any, ...]) -> Row:
    _, id, picture, same, place, rest = found
    (texts, label, tags, qa, columns, source), _ = _decode(rest)
    qas = tuple([QA(question, tuple(answers)) for question, answers in qa])
    return Row(id, picture, same, tuple(texts), label, tuple(tags), qas, columns, source, place)
