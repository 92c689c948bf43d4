"""A dictionary of texts on disk, for joins of millions of entries."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ravl.data.staging import full_disk_explained, temporary_database


class DiskMap:
    """Maps text to text on disk. A context manager: the file is deleted at the end."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute("CREATE TABLE map (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
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

    def get(self, key: str) -> str | None:
        """The value of a key; None if the key does not exist."""
        found = self._database.execute("SELECT value FROM map WHERE key = ?", (_bytes(key),))
        row = found.fetchone()
        return None if row is None else _text(row[0])

    def pop(self, key: str) -> str | None:
        """Remove a key and return its value; None if the key does not exist."""
        value = self.get(key)
        self._database.execute("DELETE FROM map WHERE key = ?", (_bytes(key),))
        return value

    def __iter__(self) -> Iterator[str]:
        """The keys, sorted."""
        for (key,) in self._database.execute("SELECT key FROM map ORDER BY key"):
            yield _text(key)


# File names on Linux can contain invalid UTF-8; Python keeps such bytes as lone surrogates.
def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")
