"""The memory: what is kept, in one SQLite file, and exact search over its vectors."""

from ravl.data.pictures import Picture
from ravl.memory.compacting import CompactReport
from ravl.memory.exchange import ExportReport
from ravl.memory.index_report import IndexReport
from ravl.memory.info import Info
from ravl.memory.memory import Memory
from ravl.memory.reembedding import ReembedReport
from ravl.memory.reverting import RevertReport
from ravl.memory.syncing import SyncReport
from ravl.store.duplicates import DuplicateGroups
from ravl.store.history import Difference, Version
from ravl.store.row import Row

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
