"""The watch for drift: what each run is asked, against fitting time; survives a restart.

Kept is what the answers tell about pictures, never a picture.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ravl.drift.windows import RATE, WINDOW, Windows
from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.runs.answers import Answer
from ravl.runs.drift_reference import REFERENCE, read_reference
from ravl.runs.run import write_json
from ravl.runs.signals import Signals
from ravl.serving.metrics import Metrics
from ravl.serving.models import Options, Served
from ravl.untrusted import read_json

SAME = {"abstain"}  # the options with which answers still are those of fitting time
SAVED = 20  # answers after which the state is written again
RECENT = 1000  # pictures of a run, of each of which one answer counts


class Monitor:
    """Windows of answers of all runs that have a reference.

    Args:
        file: beside the memory, by custom; what it holds is taken up again.
        models: of the server.
        metrics: that are kept up to date.
        window: answered pictures that are tested together.
        rate: of false alarms among windows.
    """

    def __init__(
        self,
        file: Path,
        models: Sequence[Served],
        metrics: Metrics,
        window: int = WINDOW,
        rate: float = RATE,
    ) -> None:
        self._file = file
        self._metrics = metrics
        self._window, self._rate = window, rate
        self._lock = threading.Lock()
        self._unsaved = 0
        self._windows: dict[str, Windows] = {}
        self._marks: dict[str, str] = {}  # of each reference: another one begins anew
        self._ended: dict[str, str] = {}  # when the last window was full
        self._since: dict[str, str] = {}  # and the first of those that alarmed, up to the last
        self._recent: dict[str, dict[int, None]] = {}  # pictures that were counted lately
        before = _read(file)
        for served in models:
            if served.run is not None:
                self._watch(served.name, served.run.folder, before.get(served.name, {}))

    def _watch(self, name: str, folder: Path, before: JsonObject) -> None:
        try:
            windows = Windows(read_reference(folder).signals, self._window, self._rate)
        except DataError:  # asked about it, the endpoint says so
            return
        mark = hashlib.sha256((folder / REFERENCE).read_bytes()).hexdigest()[:16]
        try:
            if before.get("reference") == mark:
                ended, since = str(before["ended"]), str(before["since"])
                windows.go_on(before)
                self._ended[name], self._since[name] = ended, since
        except (KeyError, TypeError, ValueError):
            pass  # it only costs a window that was not full
        self._windows[name], self._marks[name] = windows, mark
        self._metrics.watch(name, windows.last)

    def follow(self, served: Served) -> None:
        """Compare with fitting time of the version of a run that answers now."""
        if served.run is not None:
            with self._lock:
                for of_before in (
                    self._windows,
                    self._marks,
                    self._ended,
                    self._since,
                    self._recent,
                ):
                    of_before.pop(served.name, None)
                self._watch(served.name, served.run.folder, {})

    def watches(self, served: Served, options: Options) -> bool:
        """Whether answers that were given so are compared."""
        return served.name in self._windows and dict(options).keys() <= SAME

    def saw(self, name: str, answers: Iterable[tuple[int | None, Answer]]) -> None:
        """Count answers of a run; a window that is full is tested.

        Several questions about a picture are no several pictures: the first alone counts. Nobody
        waits for it, so that what goes wrong is printed on standard error.

        Args:
            name: of the run.
            answers: each with what tells its picture from others; None for one not to be counted.
        """
        try:
            self._count(name, answers)
        except Exception:  # answers go on
            traceback.print_exc()

    def _count(self, name: str, answers: Iterable[tuple[int | None, Answer]]) -> None:
        with self._lock:
            if name not in self._windows:  # the version that answers now has no reference
                return
            signals = Signals.of(self._new(name, answers))
            self._metrics.similarity(name, signals.numbers["similarity"].tolist())
            outcomes = self._windows[name].add(signals)
            for outcome in outcomes:
                ended = datetime.now(UTC).isoformat(timespec="milliseconds")
                self._ended[name] = ended
                self._since[name] = (self._since.get(name) or ended) if outcome.drifted else ""
                self._metrics.window(name, outcome.to_json())
                if outcome.drifted:
                    print(f"{name}: {outcome.said}", file=sys.stderr)
            self._unsaved += len(signals)
            if outcomes or self._unsaved >= SAVED:
                self._save()

    def _new(self, name: str, answers: Iterable[tuple[int | None, Answer]]) -> list[Answer]:
        """The first answer about each picture that was not asked about lately."""
        recent, new = self._recent.setdefault(name, {}), []
        for mark, answer in answers:
            if mark is not None and mark not in recent:
                recent[mark] = None
                new.append(answer)
        for mark in [*recent][:-RECENT]:
            del recent[mark]
        return new

    def state(self, name: str) -> JsonObject | None:
        """The last window's outcome, and how many there were; None for a run without reference."""
        with self._lock:
            windows = self._windows.get(name)
            if windows is None:
                return None
            last = windows.last or {}
            return {
                "run": name,
                "drifted": last.get("drifted"),
                "said": last.get("said"),
                "p": last.get("p"),
                "ended": self._ended.get(name) or None,
                "since": self._since.get(name) or None,
                "signals": last.get("signals", []),
                "window": windows.size,
                "waiting": len(windows.waiting),
                "windows": windows.tested,
                "alarms": windows.alarms,
                "rate": windows.rate,
                "reference": len(windows.reference),
            }

    def close(self) -> None:
        """Write the state."""
        with self._lock:
            if self._unsaved:
                self._save()

    def _save(self) -> None:
        record = {
            name: {
                "reference": self._marks[name],
                "ended": self._ended.get(name, ""),
                "since": self._since.get(name, ""),
                **windows.to_json(),
            }
            for name, windows in self._windows.items()
        }
        try:
            write_json(self._file, record)
            self._unsaved = 0
        except OSError as error:  # answers go on
            print(f"The watch for drift cannot be kept in {self._file}: {error}", file=sys.stderr)


def _read(file: Path) -> JsonObject:
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}
