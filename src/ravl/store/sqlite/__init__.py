"""A store in one SQLite file. All statements of SQL are in this package."""

from ravl.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
