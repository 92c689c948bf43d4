"""The memory: what is kept, in one SQLite file, and exact search over its vectors."""

from ravl.memory.compacting import CompactReport
from ravl.memory.duplicates import Twins
from ravl.memory.exchange import ExportReport
from ravl.memory.history import Difference, Version
from ravl.memory.indexing import IndexReport
from ravl.memory.info import Info
from ravl.memory.memory import Memory, Picture
from ravl.memory.reembedding import ReembedReport
from ravl.memory.reverting import RevertReport
from ravl.memory.row import Row
from ravl.memory.syncing import SyncReport

__all__ = [
    "CompactReport",
    "Difference",
    "ExportReport",
    "IndexReport",
    "Info",
    "Memory",
    "Picture",
    "ReembedReport",
    "RevertReport",
    "Row",
    "SyncReport",
    "Twins",
    "Version",
]
