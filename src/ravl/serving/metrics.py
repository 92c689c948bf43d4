"""What the server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ravl.json_types import JsonRecord
from ravl.timing import STEPS

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64)
LIKENESS = tuple(round(0.05 * i, 2) for i in range(1, 21))


class Metrics:
    """One registry for each server, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ravl_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "ravl_request_seconds",
            "From the request's first byte to the answer's.",
            ("route", "method"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._steps = Histogram(
            "ravl_step_seconds",
            "What a step of a pass took; decode is of a request.",
            ("model", "step"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._together = Histogram(
            "ravl_pass_items",
            "Items that shared a pass of the network.",
            ("model",),
            buckets=ITEMS,
            registry=self.registry,
        )
        self._pending = Gauge(
            "ravl_pending_items",
            "Items that wait or are being answered.",
            ("model",),
            registry=self.registry,
        )
        self._similarity = Histogram(
            "ravl_nearest_similarity",
            "Mean similarity of the five nearest rows to an answered picture.",
            ("run",),
            buckets=LIKENESS,
            registry=self.registry,
        )
        self._p = Gauge(
            "ravl_drift_p_value",
            "How often chance gives as much as the last window of answers.",
            ("run", "signal"),
            registry=self.registry,
        )
        self._windows = Counter(
            "ravl_drift_windows",
            "Windows of answers that were compared with fitting time.",
            ("run",),
            registry=self.registry,
        )
        self._alarms = Counter(
            "ravl_drift_alarms",
            "Windows of answers that had drifted.",
            ("run",),
            registry=self.registry,
        )
        self._rows = Gauge("ravl_rows", "Rows of the memory.", registry=self.registry)

    def model(self, name: str) -> None:
        """Announce a model, so that its series are there from the start."""
        for step in STEPS:
            self._steps.labels(name, step)
        self._together.labels(name)
        self._pending.labels(name).set(0)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def passed(self, model: str, items: int, seconds: dict[str, float]) -> None:
        """A pass of a model is over."""
        self._together.labels(model).observe(items)
        self.steps(model, seconds)

    def steps(self, model: str, seconds: dict[str, float]) -> None:
        """What steps took."""
        for step, took in seconds.items():
            self._steps.labels(model, step).observe(took)

    def watch(self, run: str, last: JsonRecord | None) -> None:
        """Announce a run whose answers are watched, with its last window, if there is one."""
        for counted in (self._similarity, self._windows, self._alarms):
            counted.labels(run)
        self._p_values(run, last or {})

    def similarity(self, run: str, values: Sequence[float]) -> None:
        """Pictures were answered that are so near to the memory."""
        for value in values:
            self._similarity.labels(run).observe(value)

    def window(self, run: str, outcome: JsonRecord) -> None:
        """A window of answers was compared with fitting time."""
        self._windows.labels(run).inc()
        self._alarms.labels(run).inc(bool(outcome["drifted"]))
        self._p_values(run, outcome)

    def _p_values(self, run: str, outcome: JsonRecord) -> None:
        for tested in outcome.get("signals", ()):
            self._p.labels(run, tested["signal"]).set(tested["p"])

    def text(self, pending: dict[str, int], rows: int) -> bytes:
        """All of it in Prometheus's text format."""
        for model, count in pending.items():
            self._pending.labels(model).set(count)
        self._rows.set(rows)
        return generate_latest(self.registry)
