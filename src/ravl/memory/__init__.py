"""The memory: what is kept, in one SQLite file, and exact search over its vectors."""

from ravl.memory.memory import Memory, Picture
from ravl.store.compacting import CompactReport
from ravl.store.duplicates import DuplicateGroups
from ravl.store.exchange import ExportReport
from ravl.store.history import Difference, Version
from ravl.store.indexing import IndexReport
from ravl.store.info import Info
from ravl.store.reembedding import ReembedReport
from ravl.store.reverting import RevertReport
from ravl.store.row import Row
from ravl.store.syncing import SyncReport

__all__ = [
    "CompactReport",
    "Difference",
    "DuplicateGroups",
    "ExportReport",
    "IndexReport",
    "Info",
    "Memory",
    "Picture",
    "ReembedReport",
    "RevertReport",
    "Row",
    "SyncReport",
    "Version",
]
