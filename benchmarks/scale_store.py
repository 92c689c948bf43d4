"""The store's lines of `scale`: words, filters, edits, near-duplicates, syncing, checking."""

from __future__ import annotations

import io
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.edit_then_answer import Given
from benchmarks.report import beside_goal
from benchmarks.scale_memory import memory_path, open_memory
from benchmarks.searching import database_of
from ravl.checking.check import check
from ravl.data import Example
from ravl.memory import Memory
from ravl.memory.adding import add_rows
from ravl.memory.folder_scan import stamp_of
from ravl.retrieval.options import Mode
from ravl.store.duplicates import NOTE, mark_duplicates
from ravl.store.records import WatchedFolder

SENTENCE = "a photo of a red thing3 that is on the place7 with a thing40"
FEW = "price < 50"  # lets 5 % of the rows through
REPEAT = 7
MOST = 100_000  # rows up to which syncing and checking are measured
MODES: tuple[Mode, ...] = ("keyword", "fused", "dense")
TINY = {"REPEAT": 1}

Line = dict[str, object]


def measure(folder: Path, count: int) -> Iterator[Line]:
    """The lines for one size; see ``scale.py``."""
    with open_memory(folder, count) as memory:
        yield from _searching(memory, count)
        yield from _filtering(memory, count)
    if count <= MOST:
        with open_memory(folder, count) as memory:
            yield beside_goal(
                count,
                "check --fast",
                seconds(lambda: check(memory, fast=True), 1),
                "s",
                60e-5 * count,
            )
    file = folder / f"scale-{count}.ravl"
    with tempfile.TemporaryDirectory(dir=folder) as name:
        copy = Path(name) / "copy.ravl"  # what follows changes the memory
        shutil.copyfile(file, copy)
        with Memory.open(copy, Given()) as memory:
            yield from _duplicates(memory, count)
            yield from _editing(memory, count)
            if count <= MOST:
                yield from _syncing(memory, count, Path(name))


def _searching(memory: Memory, count: int) -> Iterator[Line]:
    for mode in MODES:
        free = seconds(partial(memory.search, SENTENCE, mode=mode))
        memory.matching(FEW)
        some = seconds(partial(memory.search, SENTENCE, mode=mode, where=FEW))
        goal = 30 if count <= 100_000 else 250
        if mode == "fused":
            yield beside_goal(count, "fused search, a sentence", 1e3 * free, "ms", goal)
        yield beside_goal(count, f"{mode} search, a filter", some / free, "x", 1)


def _filtering(memory: Memory, count: int) -> Iterator[Line]:
    numbers = itertools.count(7)

    def ask(where: str) -> float:
        return 1e3 * seconds(lambda: memory.matching(where.format(n=next(numbers))))

    grown = max(1, count / 100_000)
    one = "id = 'pictures/0000/{n:07}.jpg'"
    yield beside_goal(count, "new filter, id =", ask(one), "ms", 1)
    label = ask("label = 'kind7' and id != '{n}'")
    yield beside_goal(count, "new filter, label =", label, "ms", 4.7 * grown)
    column = ask("price < 50 and price != {n}")
    yield beside_goal(count, "new filter, own column <", column, "ms", 4.7 * grown)
    same = ask("brand = 'brand{n}'")
    yield beside_goal(count, "new filter, own column =", same, "ms", 4.7 * grown)
    tags = ask("tags has 'tag{n}'")
    yield beside_goal(count, "new filter, tags has", tags, "ms", 4.7 * grown)


def _editing(memory: Memory, count: int) -> Iterator[Line]:
    rows = [memory_id(n) for n in range(count)]
    random = iter(np.random.default_rng(5).permutation(count).tolist())

    def relabelled() -> None:
        memory.update(rows[next(random)], label="another")

    def search() -> None:
        memory.search(SENTENCE, mode="dense")

    warm, after = seconds(search), seconds(search, before=relabelled)
    yield beside_goal(count, "dense search after a label", after / warm, "x", 1.2)
    new = [new_example(i) for i in range(2 * REPEAT + 4)]
    add_rows(memory, [new.pop()])  # a memory without its indices gets them once
    added = seconds(lambda: add_rows(memory, [new.pop()]))
    yield beside_goal(count, "add one row", 1e3 * added, "ms", 5)
    added = seconds(lambda: memory.add([new.pop()]))
    yield beside_goal(count, "add one row by the indexer", 1e3 * added, "ms", 5)


def memory_id(number: int) -> str:
    """Id of a row."""
    return f"pictures/{number // 1000:04}/{number:07}.jpg"


def new_example(seed: int) -> Example:
    """A row with a picture of its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(file, "png")
    return Example(f"new {seed}", file.getvalue(), ("a new picture",), label="kind1")


def _duplicates(memory: Memory, count: int) -> Iterator[Line]:
    store = memory.store
    with store.transaction():
        store.notes.set(NOTE, "0")
        database_of(memory).connection.execute("UPDATE rows SET twin = NULL")

    def compare() -> None:
        with store.transaction():
            mark_duplicates(store)

    took = seconds(compare, 1)
    yield beside_goal(count, "near-duplicates of all", took, "s", 10e-6 * count)


def _syncing(memory: Memory, count: int, folder: Path) -> Iterator[Line]:
    root = folder / "pictures"
    stamps = {}
    for n in range(count):
        path = root / memory_path(n).relative_to("/nowhere")
        if not n % 1000:
            path.parent.mkdir(parents=True)
        path.touch()
        stamps[path] = stamp_of(path) or (0, 0)
    with memory.store.transaction():
        memory.store.folders.watch(WatchedFolder(root, "pictures/"))
        memory.store.folders.remember(stamps)
        database_of(memory).connection.execute("UPDATE rows SET path = id WHERE source = 'scale'")
    took = seconds(lambda: memory.sync(root, progress=False), 1)
    yield beside_goal(count, "sync, nothing new", took, "s", 1.5e-5 * count)


def seconds(
    work: Callable[[], object], repeat: int = 0, before: Callable[[], object] | None = None
) -> float:
    """Median processor time of some work; once is not counted where it is repeated."""
    times = []
    repeat = repeat or REPEAT
    for _ in range(repeat + (repeat > 1)):
        if before is not None:
            before()
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times[-repeat:])
