"""A memory of three million rows on one machine: what each operation costs, and how much memory.

Each operation runs in a process of its own, on vectors that are made (see `scale_vectors.py`), of
640 numbers. `memory` is the most that the process had in RAM (`VmHWM`), with what it maps from
files; the goal is 8 GB. Times are processor time. `again` is the same in the same process.

`python -m benchmarks.scale_large FOLDER ROWS` keeps the memory in a folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import Lines
from benchmarks.scale_store import new_example
from benchmarks.scale_vectors import D, World
from benchmarks.searching import Given, database_of
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.memory.adding import add_rows
from ravl.store.sqlite.schema import table_name
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import packed

ROWS = 3_000_000
BLOCK = 50_000
KINDS = 50
GOAL = 8.0  # GB
TINY = {"ROWS": 2_000}


class Numbered(Given):
    """An encoder that costs nothing: the text "17" is the 17th query; pictures are alike."""

    dimension = feature_dimension = D

    def __init__(self, count: int) -> None:
        self._queries = World(count).draw(64)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        numbers = [int(text) if text.isdigit() else 0 for text in texts]
        return self._queries[np.array(numbers, np.int64) % len(self._queries)]


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), ROWS)


def measure(folder: Path, count: int) -> Lines:
    """The lines for one size; the memory is built where it is not there."""
    file = folder / f"large-{count}.ravl"
    if not file.exists():
        fill(file, count)
    lines: Lines = []
    for name in OPERATIONS:
        command = [sys.executable, "-m", "benchmarks.scale_large", str(folder), str(count), name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        lines.append({"rows": f"{count:,}", "operation": name, **found, "goal, GB": GOAL})
        print(lines[-1], flush=True)
    return lines


def fill(file: Path, count: int) -> None:
    """The memory: rows with a label and a price, and vectors of pictures that have no files."""
    world = World(count)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with Memory.create(part, Numbered(count)) as memory:
        connection = database_of(memory).connection
        space = current_number(connection)
        for start in range(1, count + 1, BLOCK):
            numbers = range(start, min(start + BLOCK, count + 1))
            with memory.store.transaction():
                version = memory.store.history.begin("fill")
                connection.executemany(
                    "INSERT INTO rows (row, id, label, columns, added, changed) "
                    "VALUES (?, ?, ?, ?, '', '')",
                    [(n, f"row {n}", f"kind{n % KINDS}", f'{{"n":{n % 1000}}}') for n in numbers],
                )
                connection.executemany(
                    "INSERT INTO changes (version, row, id, action) VALUES (?, ?, ?, 'add')",
                    [(version, n, f"row {n}") for n in numbers],
                )
                connection.executemany(
                    f"INSERT INTO {table_name('vectors', space)} VALUES (?, ?)",
                    zip(numbers, map(packed, world.draw(len(numbers))), strict=True),
                )
        with memory.store.transaction():
            connection.execute("INSERT INTO column_names VALUES ('n')")
    part.rename(file)


def _search(memory: Memory) -> Callable[[], object]:
    return lambda: memory.search("1", mode="dense", exact=True)


def _filtered(memory: Memory) -> Callable[[], object]:
    return lambda: memory.search("2", mode="dense", where="n < 50")


def _approximate(memory: Memory) -> Callable[[], object]:
    return lambda: memory.search("3", mode="dense")


def _edited(memory: Memory) -> Callable[[], object]:
    labels = iter(range(10**6))

    def edit() -> None:
        memory.update(f"row {77 + next(labels)}", label="another")
        memory.search("4", mode="dense")

    memory.search("4", mode="dense")
    return edit


def _added(memory: Memory) -> Callable[[], object]:
    names = iter(range(10**6))
    began = time.time_ns() // 1000

    def add() -> None:
        add_rows(memory, [new_example(began + next(names))])
        memory.search("5", mode="dense")

    memory.search("5", mode="dense")
    return add


OPERATIONS: dict[str, Callable[[Memory], Callable[[], object]]] = {
    "open, and an exact search": _search,
    "a search, 5 % allowed": _filtered,
    "a search by the index, if there is one": _approximate,
    "a label, and a search": _edited,
    "a row, and a search": _added,
}


def _measured(file: Path, count: int, name: str) -> None:
    encoder = Numbered(count)
    assert encoder.fingerprint
    began = time.process_time()
    with Memory.open(file, encoder) as memory:
        work = OPERATIONS[name](memory)
        work()
        first = time.process_time() - began
        times = []
        for _ in range(3):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20
    print(
        json.dumps(
            {"first, s": round(first, 2), "again, s": round(min(times), 3), "GB": round(peak, 2)}
        )
    )


if __name__ == "__main__":
    if len(sys.argv) > 3:
        _measured(Path(sys.argv[1]) / f"large-{sys.argv[2]}.ravl", int(sys.argv[2]), sys.argv[3])
    else:
        print(measure(Path(sys.argv[1]), int(sys.argv[2])))
