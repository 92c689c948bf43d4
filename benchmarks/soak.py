"""Ten minutes of 32 clients that ask, while rows are written: errors, and growth of memory.

Of ten requests five classify a picture, three search, and two write: a row is added, changed or
deleted, or an answer is corrected; so the memory keeps its size.
`RAVL_SOAK` sets other minutes than ten.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from benchmarks.labelled import memory_of
from benchmarks.load import Started, form, load, request, served
from benchmarks.report import Lines, picture_set
from ravl.tasks.fit import fit

CLIENTS = 32
LAG = 20  # of the rows that are added, so many stay; each is deleted again
WARM = 30  # seconds until caches are full
MINUTES = "10"
TINY = {"WARM": 1, "MINUTES": "0.02", "CLIENTS": 2}


def run() -> Lines:
    minutes = float(os.environ.get("RAVL_SOAK", MINUTES))
    folder, rows = picture_set("clothing_small")
    files = [(folder / row["image"]).read_bytes() for row in rows[:300]]
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "run"
        with memory_of("clothing_small", Path(temporary)) as memory:
            ids = [row.id for row in memory.rows()][:300]
            fit("classify", memory, out=out, model="linear", progress=False)
        with served(out) as server:
            load(server.url, lambda i: asked(i, files, ids, "warm"), CLIENTS, seconds=WARM)
            with sizes(server, 60 * minutes / 10) as held:
                found = load(
                    server.url,
                    lambda i: asked(i, files, ids, "new"),
                    CLIENTS,
                    seconds=60 * minutes,
                )
    counts = {s: found.statuses.count(s) for s in sorted(set(found.statuses))}
    lines: Lines = [
        {
            "minutes": minutes,
            "clients": CLIENTS,
            "requests": len(found.statuses),
            "statuses": ", ".join(f"{status}: {count}" for status, count in counts.items()),
            "a second": round(len(found.statuses) / found.whole, 1),
            "p50, ms": found.milliseconds(50),
            "p99, ms": found.milliseconds(99),
        }
    ]
    return lines + [{"after, s": round(at), "MB held": round(size)} for at, size in held]


def asked(i: int, files: list[bytes], ids: list[str], new: str) -> bytes:
    """The request of a number."""
    kind, file = i % 10, files[i % len(files)]
    if kind < 5:
        return form("/v1/classify", [file])
    if kind < 7:
        return form("/v1/search", [], text=f"a red shirt {i % 97}")
    if kind < 8:
        return form("/v1/search", [file])
    return written(2 * (i // 10) + kind - 8, file, ids, new)


def written(i: int, file: bytes, ids: list[str], new: str) -> bytes:
    """The write of a number: of four a row is added, one changed, one deleted, one corrected."""
    turn, kind = divmod(i, 4)
    if kind == 0:
        return form("/v1/rows", [file], id=f"{new}/{turn}", label="shirt")
    if kind == 1 and turn >= LAG:  # which was answered long ago
        return request("DELETE", f"/v1/row?id={new}/{turn - LAG}")
    if kind <= 2:
        body = {"columns": {"turn": turn}}
        path = f"/v1/row?id={quote(ids[turn % len(ids)])}"
        return request("PATCH", path, body=json.dumps(body).encode())
    verdict = {"task": "classify", "answer": "hat", "verdict": "corrected", "correction": "shirt"}
    return request("POST", "/v1/feedback", body=json.dumps(verdict).encode())


class sizes:
    """Within it, what a process holds is noted every so many seconds."""

    def __init__(self, server: Started, every: float) -> None:
        self._server, self._every = server, every
        self._held: list[tuple[float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> list[tuple[float, float]]:
        self._thread.start()
        return self._held

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.perf_counter()
        while not self._end.is_set():
            self._held.append((time.perf_counter() - began, self._server.megabytes))
            self._end.wait(self._every)
