"""The table ``claims``: what each source has said of a row."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from ravl.store.sqlite.database import Database

BELOW = "./"  # before a path that is relative to the memory's folder


class ClaimTable:
    """The claims of sources; see :class:`ravl.store.contract.Claims`.

    Args:
        database: the file.
        folder: that paths below it are kept relative to.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._database.connection

    def of_source(self, source: str, numbers: Iterable[int]) -> dict[int, str]:
        """What a source said last of these rows, by their numbers."""
        if not self._database.has_table("claims"):
            return {}
        found = self._connection.execute(
            "SELECT row, said FROM claims WHERE source = ? "
            "AND row IN (SELECT value FROM json_each(?))",
            (self._kept(source), json.dumps(list(numbers))),
        )
        return dict(found.fetchall())

    def sources(self, numbers: Iterable[int]) -> dict[int, set[str]]:
        """All sources that have said anything of these rows, by their numbers."""
        if not self._database.has_table("claims"):
            return {}
        found = self._connection.execute(
            "SELECT row, source FROM claims WHERE row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        sources: dict[int, set[str]] = defaultdict(set)
        for row, source in found:
            sources[row].add(self._shown(source))
        return dict(sources)

    def put(self, source: str, claims: Mapping[str, str]) -> None:
        """Keep what a source says of rows, by their ids, in place of what it said before."""
        if not self._database.has_table("claims"):
            script = (files("ravl.store.sqlite") / "claims.sql").read_text("utf-8")
            self._connection.execute(script)
        self._connection.executemany(
            "INSERT OR REPLACE INTO claims SELECT row, ?, ? FROM rows WHERE id = ?",
            [(self._kept(source), claim, id) for id, claim in claims.items()],
        )

    def move(self, old: str, new: str) -> None:
        """A source is in another place now."""
        if self._database.has_table("claims"):
            self._connection.execute(
                "UPDATE OR REPLACE claims SET source = ? WHERE source = ?",
                (self._kept(new), self._kept(old)),
            )

    def _kept(self, source: str) -> str:
        """A source as it is kept: a path below the memory's folder is relative to it."""
        path = Path(source)
        if path.is_absolute() and path.is_relative_to(self._folder):
            return f"{BELOW}{path.relative_to(self._folder).as_posix()}"
        return source

    def _shown(self, kept: str) -> str:
        inner = kept.removeprefix(BELOW)
        return kept if inner == kept else str(self._folder / inner)
