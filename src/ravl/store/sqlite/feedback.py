"""Feedback: answers that people accepted or corrected, kept for learning from them later.

One SQLite file beside the memory, ``shop.ravl.feedback``. Pictures are kept once, by their hash, so
that a correction of an upload can be learned from. ``state`` is the inbox: what was given is
``open`` until somebody makes a row of it (``used``) or leaves it out (``dismissed``).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ravl.data.pictures import content_hash
from ravl.errors import MemoryFileError, RowNotFoundError
from ravl.json_types import JsonObject, JsonValue
from ravl.store.sqlite.database import erase_log, identity_of
from ravl.untrusted import damage_of, parse_json

Verdict = Literal["accepted", "corrected", "rejected"]
State = Literal["open", "used", "dismissed"]
OF_FEEDBACK = "Take the file from a copy of before, or move it away."
STATES: tuple[State, ...] = get_args(State)

SCHEMA = """
CREATE TABLE IF NOT EXISTS feedback (
  number INTEGER PRIMARY KEY,
  at TEXT NOT NULL,            -- UTC, ISO 8601
  who TEXT NOT NULL,           -- name of the key
  task TEXT NOT NULL,
  run TEXT NOT NULL,           -- that answered
  version INTEGER,             -- of the memory that answered
  row TEXT,                    -- id of the memory's row that was asked about, if it was one
  picture TEXT REFERENCES pictures,
  asked TEXT,                  -- question or text beside the picture
  answer TEXT NOT NULL,        -- JSON, as it was given
  verdict TEXT NOT NULL,       -- accepted, corrected, rejected
  correction TEXT,             -- JSON: what would have been right
  note TEXT,
  state TEXT NOT NULL DEFAULT 'open'
) STRICT;
CREATE INDEX IF NOT EXISTS feedback_state ON feedback (state, number);
CREATE TABLE IF NOT EXISTS pictures (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What somebody said about one answer; see ``SCHEMA``.

    Args:
        picture: hash of the picture, if it was not a row's.
        answer, correction: as JSON types: a label, a list of tags, a text, a truth value.
        number, at, state: set by the store.
    """

    who: str
    task: str
    run: str
    answer: JsonValue
    verdict: Verdict
    version: int | None = None
    row: str | None = None
    picture: str | None = None
    asked: str | None = None
    correction: JsonValue = None
    note: str | None = None
    number: int = 0
    at: str = ""
    state: State = "open"

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


class FeedbackStore:
    """The feedback given about one memory's answers.

    Args:
        file: made when it is not there.

    Raises:
        MemoryFileError: it cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a thank-you is a promise
            self._connection.executescript(SCHEMA)
            self._identity = identity_of(file)
        except sqlite3.Error as error:
            raise MemoryFileError(
                f"The feedback in {file} cannot be opened: {error}. Name another file for it with "
                "ravl serve --feedback."
            ) from error

    def add(self, entry: Entry, picture: bytes | None = None) -> Entry:
        """Keep an entry, with its picture if there is one; returns it with its number.

        Raises:
            MemoryFileError: the disk is full, or the file cannot be written.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        hash_ = content_hash(picture) if picture is not None else entry.picture
        values = (
            at,
            entry.who,
            entry.task,
            entry.run,
            entry.version,
            entry.row,
            hash_,
            entry.asked,
            _dumps(entry.answer),
            entry.verdict,
            None if entry.correction is None else _dumps(entry.correction),
            entry.note,
        )
        with self._writing() as cursor:
            if picture is not None:
                cursor.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?)", (hash_, picture))
            cursor.execute(
                "INSERT INTO feedback (at, who, task, run, version, row, picture, asked, "
                "answer, verdict, correction, note) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                values,
            )
            number = int(cursor.lastrowid or 0)
        return self.get(number)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Cursor]:
        """All that happens inside is written to the file that has the name, or nothing of it."""
        with self._lock, closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                self._check_identity()
                cursor.execute("COMMIT")
                self._check_identity()
            except (sqlite3.Error, MemoryFileError) as error:
                raise MemoryFileError(f"The feedback cannot be kept: {error}") from error
            finally:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._check_identity()
            yield self._connection

    def _check_identity(self) -> None:
        """Refuse a file that was put in the place of this one: what it is told would be lost."""
        if identity_of(self.file) != self._identity:
            raise MemoryFileError(
                f"{self.file} was replaced or removed while it was open. Nothing was written. "
                "Open it again; restart a server that uses it."
            )

    def get(self, number: int) -> Entry:
        """The entry with that number.

        Raises:
            RowNotFoundError: there is none.
        """
        found = self._select("number = ?", (number,), 1)
        if not found:
            raise RowNotFoundError(f"There is no feedback with the number {number}.")
        return found[0]

    def entries(self, state: State | None = None, after: int = 0, limit: int = 100) -> list[Entry]:
        """Entries in the order in which they came.

        Args:
            state: only those in this one.
            after: only those with a larger number.
            limit: at most so many.
        """
        if state is None:
            return self._select("number > ?", (after,), limit)
        return self._select("number > ? AND state = ?", (after, state), limit)

    def count(self, state: State = "open") -> int:
        """How many are in a state."""
        sql = "SELECT count(*) FROM feedback WHERE state = ?"
        with self._reading() as connection:
            return int(connection.execute(sql, (state,)).fetchone()[0])

    def settle(self, number: int, state: State) -> Entry:
        """Put an entry into another state; raises as :meth:`get` and :meth:`add` do."""
        with self._writing() as cursor:
            cursor.execute("UPDATE feedback SET state = ? WHERE number = ?", (state, number))
        return self.get(number)

    def picture(self, number: int) -> bytes | None:
        """The picture that came with an entry; None where it was a row's, or none."""
        sql = "SELECT bytes FROM pictures JOIN feedback ON hash = picture WHERE number = ?"
        with self._reading() as connection:
            found = connection.execute(sql, (number,)).fetchone()
        return found[0] if found else None

    def forget(self, rows: Iterable[str], pictures: Iterable[str]) -> int:
        """Erase what was said about rows and pictures, with the pictures; the file is rewritten.

        Args:
            rows: ids of rows.
            pictures: hashes of pictures.

        Returns:
            How many entries were erased.

        Raises:
            MemoryLockedError: another process reads the file, so that bytes are left in it.
        """
        values = json.dumps(list(rows)), json.dumps(list(pictures))
        with self._writing() as cursor:
            found = cursor.execute(
                "DELETE FROM feedback WHERE row IN (SELECT value FROM json_each(?)) "
                "OR picture IN (SELECT value FROM json_each(?))",
                values,
            ).rowcount
            cursor.execute(
                "DELETE FROM pictures WHERE hash IN (SELECT value FROM json_each(?))", values[1:]
            )
        with self._lock:
            self._connection.execute("VACUUM")
            erase_log(self._connection, self.file)
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _select(self, where: str, values: tuple[object, ...], limit: int) -> list[Entry]:
        names = (
            "number, at, who, task, run, version, row, picture, asked, answer, verdict, "
            "correction, note, state"
        )
        sql = f"SELECT {names} FROM feedback WHERE {where} ORDER BY number LIMIT ?"
        with self._reading() as connection:
            found = connection.execute(sql, (*values, limit)).fetchall()
        entries = []
        for record in found:
            fields = dict(zip(names.split(", "), record, strict=True))
            for name in ("answer", "correction"):
                with damage_of(f"The feedback in {self.file}", OF_FEEDBACK, MemoryFileError):
                    fields[name] = None if fields[name] is None else parse_json(fields[name])
            entries.append(Entry(**fields))
        return entries


def beside(memory: Path) -> Path:
    """Where the feedback about a memory is."""
    return memory.with_name(f"{memory.name}.feedback")


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
