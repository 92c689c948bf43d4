"""What a server tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """One of the signals by which a server tells drift.

    Args:
        name: similarity, confidence, disagreement, or answers.
        p: how often chance alone gives any of the signals as much.
        drifted: p is at most the rate.
        effect: Cliff's delta, -1 to 1; of the mix of answers Cohen's w, 0 and above.
        size: of the effect: negligible, small, medium or large.
        said: what changed, in words.
        then: mean at fitting time; of the answers their shares.
        now: the same of the last window.
    """

    name: str
    p: float
    drifted: bool
    effect: float
    size: str
    said: str
    then: float | Mapping[str, float]
    now: float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DriftInfo:
    """Whether what a run is asked still is as at fitting time, by its last full window of answers.

    Args:
        run: its name.
        drifted: whether any signal differs beyond chance; None before the first window is full.
        said: the outcome in a sentence; None before.
        p: the least of the signals'; None before.
        ended: when the last window was full, in UTC; None before.
        since: when the first window was full of those that have alarmed in a row, up to the last.
        signals: each with what was found.
        window: answered pictures of a window; each counts in one alone.
        waiting: those of the window that is not full yet.
        windows: how many have been tested.
        alarms: how many of them had drifted.
        rate: share of windows that alarm where nothing has changed.
        reference: pictures of fitting time that are compared with.
    """

    run: str
    drifted: bool | None
    said: str | None
    p: float | None
    ended: str | None
    since: str | None
    signals: tuple[SignalInfo, ...]
    window: int
    waiting: int
    windows: int
    alarms: int
    rate: float
    reference: int

    def __str__(self) -> str:
        return self.said or (
            f"Nothing is known yet: {self.waiting:,} of the {self.window:,} pictures have come "
            "that are compared with fitting time."
        )

    def to_json(self) -> dict[str, Any]:
        """As the server tells it."""
        told = asdict(self)
        told["signals"] = [{"signal": each.pop("name"), **each} for each in told["signals"]]
        return told


def drift_of(told: Any) -> DriftInfo:
    """Out of JSON."""
    names = [field.name for field in fields(SignalInfo) if field.name != "name"]
    signals = tuple(
        SignalInfo(signal["signal"], **{name: signal[name] for name in names})
        for signal in told["signals"]
    )
    known = {field.name: told[field.name] for field in fields(DriftInfo)}
    return DriftInfo(**{**known, "signals": signals})


def info_of(told: Any) -> ServerInfo:
    """Out of JSON."""
    names = [field.name for field in fields(RunInfo)]
    runs = tuple(RunInfo(**{name: run[name] for name in names}) for run in told["runs"])
    return ServerInfo(dict(told["memory"]), tuple(told["tasks"]), runs)
