"""A watch over a stream of answers: disjoint windows, each tested once.

A window that slides would be tested again and again, and sooner or later chance would look like
drift. Here every picture counts in one test, so that the rate holds for each window: at 0.01 one
window of a hundred alarms where nothing has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ravl.drift.report import FEWEST, Drift, check_rate, compare_signals
from ravl.errors import QueryError
from ravl.json_types import JsonObject, JsonRecord
from ravl.runs.signals import Signals

WINDOW = 200  # answered pictures
RATE = 0.01  # of false alarms among windows
LARGEST = 10_000  # answered pictures, all of which are kept until the window is full


@dataclass
class Windows:
    """What a run was asked lately, against its reference.

    Args:
        reference: of fitting time.
        size: answered pictures of a window.
        rate: of false alarms among windows.
        waiting: signals of the window that is not full yet.
        tested: windows so far.
        alarms: how many of them had drifted.
        last: outcome of the last one, as plain JSON types; None before the first.
    """

    reference: Signals
    size: int = WINDOW
    rate: float = RATE
    waiting: Signals = field(default_factory=lambda: Signals({}, []))
    tested: int = 0
    alarms: int = 0
    last: JsonObject | None = None

    def __post_init__(self) -> None:
        check_windows(self.size, self.rate)

    def add(self, signals: Signals) -> list[Drift]:
        """Count answered pictures; gives the outcome of each window that they filled."""
        self.waiting = self.waiting.then(signals)
        outcomes = []
        while len(self.waiting) >= self.size:
            window = self.waiting.take(range(self.size))
            self.waiting = self.waiting.take(range(self.size, len(self.waiting)))
            outcome = compare_signals(self.reference, window, self.rate, seed=self.tested)
            self.tested += 1
            self.alarms += outcome.drifted
            self.last = outcome.to_json()
            outcomes.append(outcome)
        return outcomes

    def to_json(self) -> JsonObject:
        """What is needed to go on after a restart, as plain JSON types."""
        return {
            "waiting": self.waiting.to_json(),
            "tested": self.tested,
            "alarms": self.alarms,
            "last": self.last,
        }

    def go_on(self, record: JsonRecord) -> None:
        """Take over what :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: the record is damaged.
        """
        waiting = Signals.from_json(record["waiting"])
        counts = int(record["tested"]), int(record["alarms"])
        self.waiting, (self.tested, self.alarms), self.last = waiting, counts, record["last"]


def check_windows(size: int, rate: float) -> None:
    """Refuse windows that cannot be tested, or a rate that cannot be held.

    Raises:
        QueryError: the size is not from 20 to 10,000, or the rate not from 0.005 to 0.5.
    """
    if not FEWEST <= size <= LARGEST:
        raise QueryError(
            f"A window is of {size:,} pictures; it must be of {FEWEST} to {LARGEST:,}, like "
            f"{WINDOW}."
        )
    check_rate(rate)
