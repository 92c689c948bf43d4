"""ravl gives a vision-language model a memory of your own pictures.

>>> import ravl
>>> memory = ravl.Memory.create("shop.ravl")
>>> memory.index("photos/")
>>> hits = memory.search("a red checked shirt", k=10)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ravl._version import __version__ as __version__

if TYPE_CHECKING:
    from ravl.checking.check import check
    from ravl.client import AsyncClient, Client
    from ravl.data import QA, Example
    from ravl.drift.comparing import detect_drift
    from ravl.encoders import load_encoder
    from ravl.errors import RavlError
    from ravl.memory import IndexReport, Memory, Row
    from ravl.refitting import refit, rollback
    from ravl.retrieval import Hit, Hits, Query, Retriever
    from ravl.sharing.pull import pull
    from ravl.sharing.push import push
    from ravl.tasks.fit import evaluate, fit
    from ravl.tasks.labels.active_learning import suggest
    from ravl.tasks.labels.zero_shot import by_name
    from ravl.tasks.model import load
    from ravl.tuning.tune import tune

# Where each name lives. It is imported when first asked for, so that `ravl --help` is quick.
_HOMES = {
    "AsyncClient": "ravl.client",
    "Client": "ravl.client",
    "by_name": "ravl.tasks.labels.zero_shot",
    "check": "ravl.checking.check",
    "detect_drift": "ravl.drift.comparing",
    "evaluate": "ravl.tasks.fit",
    "fit": "ravl.tasks.fit",
    "load": "ravl.tasks.model",
    "Example": "ravl.data",
    "QA": "ravl.data",
    "load_encoder": "ravl.encoders",
    "pull": "ravl.sharing.pull",
    "push": "ravl.sharing.push",
    "suggest": "ravl.tasks.labels.active_learning",
    "tune": "ravl.tuning.tune",
    "refit": "ravl.refitting",
    "rollback": "ravl.refitting",
    "RavlError": "ravl.errors",
    "IndexReport": "ravl.memory",
    "Memory": "ravl.memory",
    "Row": "ravl.memory",
    "Hit": "ravl.retrieval",
    "Hits": "ravl.retrieval",
    "Query": "ravl.retrieval",
    "Retriever": "ravl.retrieval",
}

__all__ = [
    "QA",
    "AsyncClient",
    "Client",
    "Example",
    "Hit",
    "Hits",
    "IndexReport",
    "Memory",
    "Query",
    "RavlError",
    "Retriever",
    "Row",
    "by_name",
    "check",
    "detect_drift",
    "evaluate",
    "fit",
    "load",
    "load_encoder",
    "pull",
    "push",
    "refit",
    "rollback",
    "suggest",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ravl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
