"""Results as JSON and as a table, and the numbers that go into them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data"

Lines = list[dict[str, Any]]


def write(name: str, about: str, lines: Lines) -> None:
    """Keep the lines of a table, and print them."""
    machine = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = {"about": about.strip(), "machine": machine, "results": lines}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(page(name, record), encoding="utf-8")
    print(markdown(lines), flush=True)


def page(name: str, record: dict[str, Any]) -> str:
    """The Markdown page of a benchmark's JSON record."""
    how = f"Measured with `python -m benchmarks {name}` on {record['machine']}."
    return f"# {name}\n\n{record['about']}\n\n{how}\n\n{markdown(record['results'])}"


def markdown(lines: Lines) -> str:
    """A table of all lines that share their columns, then the next."""
    out, head = [], None
    for line in lines:
        if list(line) != head:
            head = list(line)
            out += ["", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        out.append(f"| {' | '.join(str(v) for v in line.values())} |")
    return "\n".join(out).lstrip("\n") + "\n"


def seconds(work: Callable[[], object], repeat: int = 7) -> float:
    """Median time of one call, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def beside_goal(rows: int, what: str, found: float, unit: str, goal: float) -> dict[str, Any]:
    """A line of what was measured beside its goal; both in that unit, ``x`` for a ratio."""
    return {
        "rows": f"{rows:,}",
        "what": what,
        "unit": unit,
        "found": _three_digits(found),
        "goal": _three_digits(goal),
        "found / goal": _three_digits(found / goal),
    }


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def alternate(works: Sequence[Callable[[], object]], repeat: int = 15) -> list[float]:
    """Median times of several works, taken in turns, so that a noisy machine is noisy to all."""
    times: list[list[float]] = [[] for _ in works]
    for i in range(repeat + 1):
        for work, its in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            if i:  # the first round warms up
                its.append(time.perf_counter() - began)
    return [statistics.median(its) for its in times]


def with_interval(values: Sequence[float], seed: int = 0, rounds: int = 2000) -> str:
    """Mean in per cent with its 95 % interval, by bootstrap over the values."""
    data = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), (rounds, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{100 * data.mean():.1f} ({100 * low:.1f}-{100 * high:.1f})"


def picture_set(name: str) -> tuple[Path, Lines]:
    """A shared picture set: its folder and its annotations.

    Raises:
        FileNotFoundError: this machine does not have the set.
    """
    folder = SHARED / name
    if not folder.is_dir():
        raise FileNotFoundError(f"The shared picture set {name} is not there: {folder}.")
    text = (folder / "annotations.jsonl").read_text("utf-8")
    return folder, [json.loads(line) for line in text.splitlines()]
