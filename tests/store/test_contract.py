from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ravl.encoders import Fingerprint
from ravl.store.contract import Store
from ravl.store.sqlite import SqliteStore
from ravl.testing.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    def create(self, folder: Path, fingerprint: Fingerprint, parts: Mapping[str, bytes]) -> Store:
        return SqliteStore.create(folder / "test.ravl", fingerprint, parts)

    def open(self, folder: Path) -> Store:
        return SqliteStore(folder / "test.ravl")
