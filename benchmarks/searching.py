"""Exact search against a plain NumPy matmul + argpartition on the same matrix.

`ratio` is the time of `memory.search` (dense, k = 10, from query vector to hits with their rows)
over that of NumPy; the aim is 1.2 or less. A filter lets 5 % of the rows through, `new` when it is
asked for the first time, `again` afterwards; NumPy scores only these rows, whose positions it is
given. `first search` is opening the file, reading all vectors and one search in a new process;
`extra memory` is that process's growth over the matrix's own size.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.report import Lines, alternate, seconds
from ravl.encoders.base import Array, Encoder, normalise
from ravl.memory import Memory
from ravl.store import vectors as module
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.database import Database
from ravl.store.sqlite.schema import table_name
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import packed

D, K, BATCH = 384, 10, 1000
SIZES = ((10_000, False), (100_000, False), (1_000_000, False), (1_000_000, True))
TINY = {"SIZES": ((10_000, False), (10_000, True))}


class Given(Encoder):
    """An encoder that costs nothing: the text "17" is the 17th query."""

    spec = "given"
    dimension = feature_dimension = D
    picture_size = 8
    batch_size = 32
    queries = normalise(np.random.default_rng(1).normal(size=(BATCH, D)))

    def prepare(self, _picture: Image.Image) -> Array:
        return np.zeros((3, 8, 8), np.float32)

    def features(self, prepared: Sequence[Array]) -> Array:
        return np.ones((len(prepared), self.feature_dimension), np.float32)

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        return np.ones((len(prepared), 1, self.feature_dimension), np.float32)

    def project(self, features: Array) -> Array:
        return normalise(features)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        if len(texts) == 1 and not texts[0].isdigit():  # the fingerprint's probe
            return self.queries[:1]
        return self.queries[[int(t) for t in texts]]


def run() -> Lines:
    lines: Lines = []
    for count, half in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(_measure(Path(folder) / "big.ravl", count, half))
            print(lines[-1], flush=True)
    return lines


def _measure(file: Path, count: int, half: bool) -> dict[str, object]:
    fill(file, count)
    limit = 0 if half else 2**62
    first = subprocess.run(
        [sys.executable, "-m", "benchmarks.searching", str(file), str(limit)],
        check=True,
        capture_output=True,
        text=True,
    )
    module.WIDEST = limit
    with Memory.open(file, Given()) as memory:
        memory.search("0", mode="dense")
        matrix = memory.vectors().matrix
        keep = np.flatnonzero(np.arange(len(matrix)) % 100 < 5)
        texts = [str(i) for i in range(BATCH)]
        q, queries = Given.queries[0], Given.queries
        plain = matrix.astype(np.float32) if not half else matrix
        some = 200 if count == 1_000_000 else BATCH  # NumPy's scores of 1,000 would take 4 GB

        def one() -> None:
            scores = plain @ q if not half else _widened(matrix, q[None])[0]
            np.argpartition(scores, -K)[-K:]

        def many() -> None:
            scores = queries[:some] @ plain.T if not half else _widened(matrix, queries[:some])
            np.argpartition(scores, -K, axis=1)[:, -K:]

        def filtered() -> None:
            np.argpartition(matrix[keep].astype(np.float32, copy=False) @ q, -K)[-K:]

        single = alternate(
            [one, lambda: memory.search("0", K, mode="dense")], 31 if count <= 100_000 else 9
        )
        batch = alternate([many, lambda: memory.search(texts[:some], K, mode="dense")], 3)
        again = alternate(
            [filtered, lambda: memory.search("0", K, mode="dense", where="price < 5")], 9
        )
        wheres = (f"price < 5 and price != {i + 1000}" for i in itertools.count())
        new = seconds(lambda: memory.search("0", K, mode="dense", where=next(wheres)), 5)
    opened, extra = first.stdout.split()
    return {
        "rows": f"{count:,}",
        "type": "float16" if half else "float32",
        "one query, ms": round(single[1] * 1e3, 1),
        "ratio": round(single[1] / single[0], 2),
        "queries at once": some,
        "all, s": round(batch[1], 2),
        "ratio of all": round(batch[1] / batch[0], 2),
        "5 % filter new, ms": round(new * 1e3, 1),
        "again, ms": round(again[1] * 1e3, 1),
        "ratio of again": round(again[1] / again[0], 2),
        "first search, s": float(opened),
        "extra memory": extra,
    }


def _widened(matrix: np.ndarray, queries: Array) -> Array:
    """What a plain float16 search does: widen a block, multiply, go on."""
    scores = np.empty((len(queries), len(matrix)), np.float32)
    for i in range(0, len(matrix), 8192):
        scores[:, i : i + 8192] = queries @ matrix[i : i + 8192].astype(np.float32).T
    return scores


def database_of(memory: Memory) -> Database:
    """The file of a memory, to write past the encoder."""
    assert isinstance(memory.store, SqliteStore)
    return memory.store.database


def fill(file: Path, count: int) -> None:
    """A memory of random vectors, written past the encoder: rows with a price from 0 to 99."""
    rng = np.random.default_rng(0)
    with Memory.create(file, Given()) as memory, database_of(memory).transaction() as connection:
        space = current_number(connection)
        for start in range(1, count + 1, 10_000):
            numbers = range(start, start + 10_000)
            vectors = normalise(rng.normal(size=(10_000, D)))
            connection.executemany(
                "INSERT INTO rows (row, id, columns, added, changed) VALUES (?, ?, ?, '', '')",
                [(n, f"row {n}", f'{{"price":{(n - 1) % 100}}}') for n in numbers],
            )
            connection.executemany(
                f"INSERT INTO {table_name('vectors', space)} VALUES (?, ?)",
                [(n, packed(v)) for n, v in zip(numbers, vectors, strict=True)],
            )
        connection.execute("INSERT INTO column_names VALUES ('price')")


def first_search(file: Path, limit: int) -> None:
    """Print the seconds from opening to the first hits, and the memory beyond the matrix's."""
    import time

    module.WIDEST = limit
    encoder = Given()
    assert encoder.fingerprint
    before = _status("VmRSS")
    began = time.perf_counter()
    with Memory.open(file, encoder) as memory:
        memory.search("0", K, mode="dense")
        took = time.perf_counter() - began
        blocks = memory.vectors().blocks
        size = blocks.dtype.itemsize * blocks.shape[0] * blocks.shape[1] / 2**20
    grown = _status("VmHWM") - before - size
    print(f"{took:.2f} {grown:.0f}MB={100 * grown / size:.0f}%")


def _status(name: str) -> float:
    """MB of this process now (VmRSS) or at most so far (VmHWM; ru_maxrss counts the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    first_search(Path(sys.argv[1]), int(sys.argv[2]))
