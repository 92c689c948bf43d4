"""The table of spaces, and the states of their encoders.

What a space holds is in three tables of its own, ``vectors_N``, ``text_vectors_N`` and
``features_N``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from ravl.encoders import Fingerprint
from ravl.errors import EncoderError, MemoryFileError
from ravl.store.space import KINDS, Space, SpaceStage, SpaceState
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.history import newest_change
from ravl.store.sqlite.schema import table_name, vector_table
from ravl.untrusted import ADVICE, damage_of

LONGEST = 65_536  # numbers of a vector


def space_numbers(connection: sqlite3.Connection) -> list[int]:
    """Numbers of all spaces."""
    return [space for (space,) in connection.execute("SELECT space FROM spaces").fetchall()]


def current_number(connection: sqlite3.Connection) -> int:
    """Number of the current space."""
    found = connection.execute("SELECT space FROM spaces WHERE state = 'current'").fetchone()
    if found is None:
        raise _incomplete()
    return int(found[0])


def create_tables(connection: sqlite3.Connection, space: int) -> None:
    """Make the tables of a space's vectors."""
    for kind in KINDS:
        connection.execute(vector_table(kind, space))


def dimension_of(found: object) -> int:
    """The length of a space's vectors, as it is stored; ValueError where it cannot be one."""
    if type(found) is not int or not 0 < found <= LONGEST:
        raise ValueError(f"its vectors have the length {found!r:.50}")
    return found


def read_fingerprint(text: object) -> Fingerprint:
    """The fingerprint that a space keeps.

    Raises:
        MemoryFileError: it is damaged.
    """
    try:
        return Fingerprint.from_json(str(text))
    except EncoderError as error:
        raise MemoryFileError(f"A memory cannot be used: {error} {ADVICE}") from error


def make_space(
    connection: sqlite3.Connection,
    fingerprint: Fingerprint,
    encoder_state: Mapping[str, bytes],
    stage: SpaceStage,
) -> Space:
    """A new, empty space, with the state that its encoder needs to be loaded again."""
    dimension, since = len(fingerprint.picture), newest_change(connection)
    number = connection.execute(
        "INSERT INTO spaces (fingerprint, dimension, state, since) VALUES (?, ?, ?, ?) "
        "RETURNING space",
        (fingerprint.to_json(), dimension, stage, since),
    ).fetchone()[0]
    create_tables(connection, number)
    connection.executemany(
        "INSERT INTO encoder_parts VALUES (?, ?, ?)",
        [(number, name, data) for name, data in encoder_state.items()],
    )
    return Space(number, fingerprint, dimension, since)


class SpaceTable:
    """The spaces of a memory; see :class:`ravl.store.contract.Spaces`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def state(self) -> SpaceState:
        """The current space and the newest change: what a cache follows."""
        found = self._connection.execute(
            "SELECT space, dimension FROM spaces WHERE state = 'current'"
        ).fetchone()
        if found is None:
            raise _incomplete()
        with damage_of(str(self._database.path), ADVICE, MemoryFileError):
            dimension = dimension_of(found[1])
            return SpaceState(int(found[0]), dimension, newest_change(self._connection))

    def find(self, stage: SpaceStage = "current") -> Space | None:
        """The space in that stage, None where there is none.

        Raises:
            MemoryFileError: what is kept of its encoder is damaged.
        """
        found = self._connection.execute(
            "SELECT space, fingerprint, dimension, since FROM spaces WHERE state = ?", (stage,)
        ).fetchone()
        if found is None:
            return None
        number, text, dimension, since = found
        with damage_of(str(self._database.path), ADVICE, MemoryFileError):
            fingerprint = read_fingerprint(text)
            if len(fingerprint.picture) != dimension:
                raise ValueError("the vectors of its encoder have another length")
            return Space(int(number), fingerprint, int(dimension), int(since))

    def current(self) -> Space:
        """The space that searches use."""
        space = self.find()
        if space is None:
            raise _incomplete()
        return space

    def encoder_state(self, space: int) -> dict[str, bytes]:
        """What the space's encoder needs in addition to its name, to be loaded again."""
        sql = "SELECT name, bytes FROM encoder_parts WHERE space = ?"
        return dict(self._connection.execute(sql, (space,)).fetchall())

    def make(self, fingerprint: Fingerprint, encoder_state: Mapping[str, bytes]) -> Space:
        """A new, empty space in the stage ``building``."""
        return make_space(self._connection, fingerprint, encoder_state, "building")

    def drop(self, space: int) -> None:
        """Forget a space, its vectors and its encoder's state."""
        for kind in KINDS:
            self._connection.execute(f"DROP TABLE {table_name(kind, space)}")
        self._connection.execute("DELETE FROM spaces WHERE space = ?", (space,))

    def advance(self, space: int, change: int) -> None:
        """A space that is built has seen all changes up to this one."""
        self._connection.execute("UPDATE spaces SET since = ? WHERE space = ?", (change, space))

    def switch(self, old: Space, new: Space, keep_features: bool) -> None:
        """The new space becomes the current one; the old one is dropped."""
        connection = self._connection
        if keep_features:
            before, after = (table_name("features", space.number) for space in (old, new))
            connection.execute(f"DROP TABLE {after}")
            connection.execute(f"ALTER TABLE {before} RENAME TO {after}")
            connection.execute(f"CREATE TABLE {before} (key INTEGER PRIMARY KEY)")
        self.drop(old.number)
        connection.execute("UPDATE spaces SET state = 'current' WHERE space = ?", (new.number,))


def _incomplete() -> MemoryFileError:
    return MemoryFileError("The memory has no encoder; its file was not made completely.")
