"""The first answer after one edit of the memory, beside a search after the same edit.

Rows have a label, tags, two texts and an answered question, and features of 512 numbers. Times are
medians in milliseconds of the answer alone, not of the edit: processor time, so that a busy machine
does not count (run with OPENBLAS_NUM_THREADS=1). `warm` is an answer without an edit before it; the
others are the first answers after one row was relabelled, got another text, was added or was
deleted. `ratio` is the largest ratio of these to a default text search after the same edit; the aim
is 2 or less.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import ravl
from benchmarks.report import Lines
from ravl.data import QA, Example
from ravl.encoders.base import Array, Encoder, normalise
from ravl.memory import Memory
from ravl.store.row import Row
from ravl.store.space import TEXT_BITS, Kind
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.records import to_record
from ravl.store.sqlite.schema import table_name
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import packed
from ravl.tasks.fit import fit

D, F, SIDE = 384, 512, 8
KINDS = [f"kind{i:02}" for i in range(50)]
SIZES = (10_000, 100_000)
BLOCK = 10_000
LEVELS = {"classify": "linear", "tag": "linear", "match": "vote", "ask": "vote"}
TINY = {"SIZES": (300,), "REPEAT": 1}
REPEAT = 5  # of each edit
EDITS = ("update", "texts", "add", "delete")


class Given(Encoder):
    """An encoder that costs next to nothing: pixels through a fixed matrix, texts by a hash."""

    spec = "given"
    dimension, feature_dimension = D, F
    picture_size = SIDE
    batch_size = 64
    matrix = np.random.default_rng(1).normal(size=(3 * SIDE * SIDE, F)).astype(np.float32)

    def prepare(self, picture: Image.Image) -> Array:
        pixels: Array = np.asarray(picture.resize((SIDE, SIDE)), np.float32) / np.float32(255) - 0.5
        return pixels.ravel()

    def features(self, prepared: Sequence[Array]) -> Array:
        return np.stack(prepared) @ self.matrix

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        return self.features(prepared)[:, None, :]

    def project(self, features: Array) -> Array:
        return normalise(features[:, :D])

    def embed_texts(self, texts: Sequence[str]) -> Array:
        if not texts:
            return np.zeros((0, D), np.float32)
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return normalise(np.stack([np.random.default_rng(s).normal(size=D) for s in seeds]))


def run(sizes: Sequence[int] = (), repeat: int = 0) -> Lines:
    sizes, repeat = sizes or SIZES, repeat or REPEAT
    lines: Lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = _fitted(folder)
        for count in sizes:
            found = _measure(folder, runs, count, repeat)
            lines += found
            for line in found:
                print(line, flush=True)
    return lines


def _fitted(folder: Path) -> dict[str, Path]:
    """Runs of a small memory."""
    runs = {}
    with Memory.create(folder / "small.ravl", Given()) as memory:
        memory.add(_examples(folder / "small", 120))
        for task, model in LEVELS.items():
            runs[task] = folder / task
            fit(task, memory, out=runs[task], model=model, progress=False)
    return runs


def _measure(folder: Path, runs: dict[str, Path], count: int, repeat: int) -> Lines:
    with Memory.create(folder / f"{count}.ravl", Given()) as memory:
        fill(memory, count)
        picture = _picture(7)
        models = {task: ravl.load(place, memory) for task, place in runs.items()}
        alone = ravl.load(memory)
        text = KINDS[3]
        works: dict[str, Callable[[], object]] = {
            "search": lambda: memory.search(text),
            "search by picture": lambda: memory.search(picture),
            "classify": lambda: models["classify"].classify(picture),
            "tag": lambda: models["tag"].tag(picture),
            "match": lambda: models["match"].match(picture, text),
            "caption (untrained)": lambda: alone.caption(picture),
            "ask": lambda: models["ask"].ask(picture, "what is it?"),
            "ask (untrained)": lambda: alone.ask(picture, "what is it?"),
        }
        first = {name: _seconds(work) for name, work in works.items()}
        warm = {n: statistics.median(_seconds(w) for _ in range(repeat)) for n, w in works.items()}
        after: dict[str, dict[str, float]] = {name: {} for name in works}
        edits = _edits(memory, folder / f"new {count}")
        for edit in EDITS:
            times: dict[str, list[float]] = {name: [] for name in works}
            for _ in range(repeat):
                for name, work in works.items():  # each is the first to answer after an edit
                    next(edits[edit])
                    times[name].append(_seconds(work))
            for name, its in times.items():
                after[name][edit] = statistics.median(its)
    return [
        {
            "rows": f"{count:,}",
            "what": name,
            "first of all, ms": _ms(first[name]),
            "warm, ms": _ms(warm[name]),
            **{f"after {edit}, ms": _ms(after[name][edit]) for edit in EDITS},
            "ratio": round(max(after[name][e] / after["search"][e] for e in EDITS), 2),
        }
        for name in works
    ]


def _edits(memory: Memory, folder: Path) -> dict[str, Iterator[object]]:
    """Edits by name, each of which goes on for ever."""
    rows = [row.id for row in memory.rows()]
    random = np.random.default_rng(5).permutation(len(rows)).tolist()

    def relabel() -> Iterator[object]:
        for i in random:
            yield memory.update(rows[i], label=KINDS[i % 7])

    def rewrite() -> Iterator[object]:
        for i in random[len(rows) // 2 :]:
            yield memory.update(rows[i], texts=(f"another text about {KINDS[i % 7]}",))

    def add() -> Iterator[object]:
        for i in range(len(rows)):
            yield memory.add(_examples(folder, 1, len(rows) + i))

    def delete() -> Iterator[object]:
        for i in reversed(random):
            yield memory.delete(rows[i])

    return {"update": relabel(), "texts": rewrite(), "add": add(), "delete": delete()}


def _says(i: int) -> Example:
    """What a row says."""
    kind = KINDS[i % len(KINDS)]
    return Example(
        f"row {i}",
        texts=(f"a picture of {kind} number {i}", f"{kind} and {KINDS[i * 7 % 50]} on a table"),
        label=kind,
        tags=(kind, KINDS[i * 3 % 50]),
        qa=(QA("what is it?" if i % 2 else "what is on the table?", (kind,)),),
    )


def _picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return Image.fromarray(pixels)


def _examples(folder: Path, count: int, first: int = 0) -> list[Example]:
    """Rows with a picture file each."""
    folder.mkdir(exist_ok=True)
    found = []
    for i in range(first, first + count):
        path = folder / f"{i}.png"
        _picture(i).resize((64, 64), Image.Resampling.BICUBIC).save(path)
        says = _says(i)
        found.append(
            Example(says.id, path, says.texts, label=says.label, tags=says.tags, qa=says.qa)
        )
    return found


def fill(memory: Memory, count: int) -> None:
    """Rows with random features, written past the encoder."""
    random = np.random.default_rng(0)
    encoder = memory.encoder
    store = memory.store
    assert isinstance(store, SqliteStore)
    with store.database.transaction() as connection:
        space = current_number(connection)
        for start in range(0, count, BLOCK):
            numbers = range(start, min(start + BLOCK, count))
            centres = random.normal(size=(len(KINDS), F))
            spread = random.normal(size=(len(numbers), F))
            features = (centres[[i % len(KINDS) for i in numbers]] + spread).astype(np.float32)
            texts = normalise(random.normal(size=(2 * len(numbers), D)))
            vectors = encoder.project(features)
            kinds: dict[Kind, Array] = {"features": features, "vectors": vectors}
            for kind, matrix in kinds.items():
                connection.executemany(
                    f"INSERT INTO {table_name(kind, space)} VALUES (?, ?)",
                    [(i + 1, packed(v)) for i, v in zip(numbers, matrix, strict=True)],
                )
            connection.executemany(
                f"INSERT INTO {table_name('text_vectors', space)} VALUES (?, ?)",
                [
                    ((i + 1) << TEXT_BITS | j, packed(texts[2 * (i - start) + j]))
                    for i in numbers
                    for j in range(2)
                ],
            )
            for i in numbers:
                row = _row(i)
                fields = {"row": row.number, **to_record(row, memory.folder)}
                fields |= {"added": "", "changed": ""}
                marks = ", ".join("?" * len(fields))
                connection.execute(
                    f"INSERT INTO rows ({', '.join(fields)}) VALUES ({marks})", [*fields.values()]
                )
                store.words.put(row)


def _row(i: int) -> Row:
    """A row as it is kept."""
    says = _says(i)
    return Row(
        i + 1,
        says.id,
        texts=says.texts,
        label=says.label,
        tags=says.tags,
        qa=says.qa,
        hash=f"hash {i}",
        width=SIDE,
        height=SIDE,
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


if __name__ == "__main__":
    from benchmarks.report import write

    write("edit_then_answer", __doc__ or "", run([int(size) for size in sys.argv[1:]]))
