"""The runtime's lines of `scale`: one query, commands from the shell, the server, indexing.

They do not depend on the number of rows, and are measured once. All are processor time, of all
threads and of child processes: leave OPENBLAS_NUM_THREADS and OMP_NUM_THREADS as users have them.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.labelled import memory_of
from benchmarks.load import served
from benchmarks.report import beside_goal
from ravl.data import Example, pictures
from ravl.encoders import load_encoder
from ravl.memory import Memory
from ravl.retrieval import Query

SET, LARGE, ASKED = "clothing_small", 64, 50  # pictures of 12 megapixels, and queries
SIDES = (4000, 3000)
TINY = {"ASKED": 2, "LARGE": 2}
Line = dict[str, object]


def measure(folder: Path, count: int) -> Iterator[Line]:
    """The lines, for the first size that is asked; see ``scale.py``."""
    from benchmarks.scale import SIZES

    if count != SIZES[0]:
        return
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        with memory_of(SET, work) as memory:
            picture = memory.picture_bytes(next(iter(memory)))
            file = work / "picture"
            file.write_bytes(picture)
            yield from _queries(memory, file, count)
        yield from _commands(work, memory.path, file, count)
        yield from _indexing(work, count)


def _queries(memory: Memory, picture: Path, count: int) -> Iterator[Line]:
    works: dict[str, Callable[[int], object]] = {
        "one text": lambda i: memory.search(f"a red shirt {i}"),
        "one picture": lambda _: memory.search(Query(image=picture)),
    }
    for what, ask in works.items():
        ask(0)
        took = processor_seconds(lambda ask=ask: [ask(i) for i in range(ASKED)])  # type: ignore[misc]
        yield beside_goal(count, f"search by {what}", 1e3 * took / ASKED, "ms", 8)


def _commands(work: Path, memory: Path, file: Path, count: int) -> Iterator[Line]:
    ravl, picture = str(Path(sys.executable).with_name("ravl")), str(file)
    cache = {**os.environ, "RAVL_CACHE": str(work / "cache")}
    place = str(memory)
    run([ravl, "search", place, "a shirt"], cache)  # exports the networks
    commands = {
        "ravl --help": ([ravl, "--help"], 0.25),
        "ravl search, a text": ([ravl, "search", place, "a red shirt"], 0.45),
        "ravl classify, the first": ([ravl, "classify", place, picture], 5),
        "ravl classify, the next": ([ravl, "classify", place, picture], 1),
        "import of training": ([sys.executable, "-c", "import ravl.training.trainer"], 2.5),
        "import of torch alone": ([sys.executable, "-c", "import torch"], 1.8),
    }
    for what, (command, goal) in commands.items():
        yield beside_goal(count, what, run(command, cache), "s", goal)
    with served(place) as server:
        times = server.process.cpu_times()
        yield beside_goal(count, "a server until it is ready", times.user + times.system, "s", 3)


def _indexing(work: Path, count: int) -> Iterator[Line]:
    encoder, random = load_encoder("builtin"), np.random.default_rng(0)
    noise = random.integers(0, 256, (SIDES[1] // 50, SIDES[0] // 50, 3), np.uint8)
    large = Image.fromarray(noise).resize(SIDES, Image.Resampling.BICUBIC)
    paths = []
    for i in range(LARGE):
        file = io.BytesIO()
        large.putpixel((i, 0), (0, 0, 0))
        large.save(file, "jpeg", quality=90)
        paths.append(work / f"{i}.jpg")
        paths[-1].write_bytes(file.getvalue())

    def bare() -> None:
        with ThreadPoolExecutor(2) as pool:
            decoded = pool.map(lambda p: pictures.decode(p, hint=encoder.picture_size), paths)
            prepared = [encoder.prepare(picture) for picture in decoded]
        for i in range(0, len(prepared), encoder.batch_size):
            encoder.encode_prepared(prepared[i : i + encoder.batch_size])

    def index() -> None:
        with Memory.create(work / "large.ravl", encoder) as memory:
            memory.add([Example(path.name, path) for path in paths])

    alone, whole = processor_seconds(bare), processor_seconds(index)
    yield beside_goal(count, "indexing of 12 MP over decode and network", whole / alone, "x", 1.1)


def processor_seconds(work: Callable[[], object]) -> float:
    """Of all threads of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def run(command: list[str], environment: Mapping[str, str]) -> float:
    """Processor time of a command."""
    before = _of_children()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
