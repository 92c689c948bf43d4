"""What each operation costs as a memory grows, beside its goal, at ten thousand to a million rows.

`found / goal` is what was measured over the goal: 1 or less keeps it. Times are processor time
(run with OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1), so that a busy machine does not count. A goal
that is a time grows with the rows where a line says so in `scale_store.py` and its like; a goal in
`x` is a ratio of two times of the same run.

For some sizes only, and with memories that are kept for the next run:
`python -m benchmarks.scale --memories FOLDER 10000 100000`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.report import Lines

SIZES = (10_000, 100_000, 1_000_000)
PARTS = (
    "scale_store",
    "scale_vectors",
    "scale_runtime",
)  # each with a function measure(folder, rows) that yields lines
TINY = {"SIZES": (400,)}


def run(sizes: Sequence[int] = (), memories: Path | None = None) -> Lines:
    with tempfile.TemporaryDirectory() as name:
        folder = memories or Path(name)
        lines: Lines = []
        for part in PARTS:
            for count in sizes or SIZES:
                for line in import_module(f"benchmarks.{part}").measure(folder, count):
                    print(line, flush=True)
                    lines.append(line)
    return lines


def _main() -> None:
    from benchmarks.report import write

    parser = argparse.ArgumentParser("python -m benchmarks.scale")
    parser.add_argument("sizes", nargs="*", type=int, metavar="ROWS")
    parser.add_argument("--memories", type=Path, metavar="FOLDER", help="kept for the next run")
    given = parser.parse_args()
    write("scale", __doc__ or "", run(given.sizes, given.memories))


if __name__ == "__main__":
    _main()
