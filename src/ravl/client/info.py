"""Information about a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from ravl.json_types import JsonObject, JsonRecord, JsonValue


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run, or a memory alone, that answers a task.

    Args:
        name: the value for the option ``run``.
        task: the task that it answers.
        default: True if it answers requests without ``run``.
        streams: True if its texts can be streamed.
        level: the level of the run; None for the memory alone.
    """

    name: str
    task: str
    default: bool
    streams: bool
    level: str | None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The memory, tasks and runs of a server.

    Args:
        memory: ``name``, ``rows``, ``pictures``, ``version``, ``encoder``, ``columns``, ``labels``.
        tasks: the tasks of the server.
        runs: the runs that answer the tasks.
    """

    memory: JsonRecord
    tasks: tuple[str, ...]
    runs: tuple[RunInfo, ...]


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """One of the signals of the drift test.

    Args:
        name: similarity, confidence, disagreement, or answers.
        p: probability that any signal changes this much by chance.
        drifted: True if p is at most the rate.
        effect: Cliff's delta, -1 to 1; for the mix of answers Cohen's w, 0 or more.
        size: of the effect: negligible, small, medium or large.
        said: what changed, in words.
        then: mean at fitting time; for the answers their shares.
        now: the same for the last window.
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
    """The result of the drift test of a run on its last full window of answers.

    Args:
        run: its name.
        drifted: True if any signal differs by more than chance; None before the first full window.
        said: the result in a sentence; None before the first full window.
        p: the smallest p of the signals; None before the first full window.
        ended: time at which the last window was full, in UTC; None before the first full window.
        since: end of the first window in the present series of alarms.
        signals: the results of the signals.
        window: number of answered pictures per window; windows do not overlap.
        waiting: number of pictures in the window that is not full yet.
        windows: number of tested windows.
        alarms: number of windows with drift.
        rate: share of false alarms per window.
        reference: number of pictures in the reference.
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
            f"No result yet: {self.waiting:,} of the {self.window:,} pictures have come "
            "that are compared with fitting time."
        )

    def to_json(self) -> JsonObject:
        """As in the server's JSON."""
        record = asdict(self)
        record["signals"] = [{"signal": each.pop("name"), **each} for each in record["signals"]]
        return record


def drift_of(record: JsonValue) -> DriftInfo:
    """From JSON."""
    names = [field.name for field in fields(SignalInfo) if field.name != "name"]
    signals = tuple(
        SignalInfo(signal["signal"], **{name: signal[name] for name in names})
        for signal in record["signals"]
    )
    known = {field.name: record[field.name] for field in fields(DriftInfo)}
    return DriftInfo(**{**known, "signals": signals})


def info_of(record: JsonValue) -> ServerInfo:
    """From JSON."""
    names = [field.name for field in fields(RunInfo)]
    runs = tuple(RunInfo(**{name: run[name] for name in names}) for run in record["runs"])
    return ServerInfo(dict(record["memory"]), tuple(record["tasks"]), runs)
