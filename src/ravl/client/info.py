"""What a server tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What answers a task.

    Args:
        name: to be given as ``run``.
        task: that it answers.
        default: it answers where no run is named.
        streams: its texts come word by word.
        level: what it is made of; None for the memory alone.
    """

    name: str
    task: str
    default: bool
    streams: bool
    level: str | None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What is served.

    Args:
        memory: ``name``, ``rows``, ``pictures``, ``version``, ``encoder``, ``columns``, ``labels``.
        tasks: that are answered.
        runs: what answers them.
    """

    memory: Mapping[str, Any]
    tasks: tuple[str, ...]
    runs: tuple[RunInfo, ...]


def info_of(told: Any) -> ServerInfo:
    """Out of JSON."""
    names = [field.name for field in fields(RunInfo)]
    runs = tuple(RunInfo(**{name: run[name] for name in names}) for run in told["runs"])
    return ServerInfo(dict(told["memory"]), tuple(told["tasks"]), runs)
