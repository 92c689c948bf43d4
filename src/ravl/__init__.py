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
    from ravl.encoders import Encoder, load_encoder
    from ravl.errors import (
        DataError,
        DivergedError,
        EncoderError,
        EncoderMismatchError,
        FilterError,
        MemoryFileError,
        MemoryLockedError,
        PictureError,
        PluginError,
        QueryError,
        RavlError,
        RowNotFoundError,
    )
    from ravl.memory import IndexReport, Memory, Row
    from ravl.models.generation.base import Decoding, Generator
    from ravl.refitting import refit, rollback
    from ravl.retrieval import Hit, Hits, Query, Retriever
    from ravl.runs.answers import Answer, Classification, Evidence, Tagging
    from ravl.runs.provenance import Provenance
    from ravl.sharing.pull import pull
    from ravl.sharing.push import push
    from ravl.tasks.ask.results import Reply
    from ravl.tasks.ask.settings import AskSettings, OpenAskSettings
    from ravl.tasks.caption.results import Caption
    from ravl.tasks.caption.settings import CaptionSettings
    from ravl.tasks.contract import Task
    from ravl.tasks.fit import evaluate, fit
    from ravl.tasks.labels.active_learning import suggest
    from ravl.tasks.labels.zero_shot import by_name
    from ravl.tasks.match.results import Matching
    from ravl.tasks.model import Model, load
    from ravl.tasks.options import Option
    from ravl.training.dual_encoder.settings import RetrieverSettings
    from ravl.training.fit_settings import FitSettings
    from ravl.tuning.tune import tune

# Where each name lives. It is imported when first asked for, so that `ravl --help` is quick.
_HOMES = {
    "Answer": "ravl.runs.answers",
    "AskSettings": "ravl.tasks.ask.settings",
    "AsyncClient": "ravl.client",
    "Caption": "ravl.tasks.caption.results",
    "CaptionSettings": "ravl.tasks.caption.settings",
    "Classification": "ravl.runs.answers",
    "Client": "ravl.client",
    "DataError": "ravl.errors",
    "Decoding": "ravl.models.generation.base",
    "DivergedError": "ravl.errors",
    "Encoder": "ravl.encoders",
    "EncoderError": "ravl.errors",
    "EncoderMismatchError": "ravl.errors",
    "Evidence": "ravl.runs.answers",
    "Example": "ravl.data",
    "FilterError": "ravl.errors",
    "FitSettings": "ravl.training.fit_settings",
    "Generator": "ravl.models.generation.base",
    "Hit": "ravl.retrieval",
    "Hits": "ravl.retrieval",
    "IndexReport": "ravl.memory",
    "Matching": "ravl.tasks.match.results",
    "Memory": "ravl.memory",
    "MemoryFileError": "ravl.errors",
    "MemoryLockedError": "ravl.errors",
    "Model": "ravl.tasks.model",
    "OpenAskSettings": "ravl.tasks.ask.settings",
    "Option": "ravl.tasks.options",
    "PictureError": "ravl.errors",
    "PluginError": "ravl.errors",
    "Provenance": "ravl.runs.provenance",
    "QA": "ravl.data",
    "Query": "ravl.retrieval",
    "QueryError": "ravl.errors",
    "RavlError": "ravl.errors",
    "Reply": "ravl.tasks.ask.results",
    "Retriever": "ravl.retrieval",
    "RetrieverSettings": "ravl.training.dual_encoder.settings",
    "Row": "ravl.memory",
    "RowNotFoundError": "ravl.errors",
    "Tagging": "ravl.runs.answers",
    "Task": "ravl.tasks.contract",
    "by_name": "ravl.tasks.labels.zero_shot",
    "check": "ravl.checking.check",
    "detect_drift": "ravl.drift.comparing",
    "evaluate": "ravl.tasks.fit",
    "fit": "ravl.tasks.fit",
    "load": "ravl.tasks.model",
    "load_encoder": "ravl.encoders",
    "pull": "ravl.sharing.pull",
    "push": "ravl.sharing.push",
    "refit": "ravl.refitting",
    "rollback": "ravl.refitting",
    "suggest": "ravl.tasks.labels.active_learning",
    "tune": "ravl.tuning.tune",
}

__all__ = [
    "QA",
    "Answer",
    "AskSettings",
    "AsyncClient",
    "Caption",
    "CaptionSettings",
    "Classification",
    "Client",
    "DataError",
    "Decoding",
    "DivergedError",
    "Encoder",
    "EncoderError",
    "EncoderMismatchError",
    "Evidence",
    "Example",
    "FilterError",
    "FitSettings",
    "Generator",
    "Hit",
    "Hits",
    "IndexReport",
    "Matching",
    "Memory",
    "MemoryFileError",
    "MemoryLockedError",
    "Model",
    "OpenAskSettings",
    "Option",
    "PictureError",
    "PluginError",
    "Provenance",
    "Query",
    "QueryError",
    "RavlError",
    "Reply",
    "Retriever",
    "RetrieverSettings",
    "Row",
    "RowNotFoundError",
    "Tagging",
    "Task",
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
