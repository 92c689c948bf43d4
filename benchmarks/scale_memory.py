"""The memory of `scale`: any number of rows, written past the encoder.

Rows are as those of a shop or a photo library: a caption of some ten words, of which a few are in
nearly all captions, a label, tags, two columns of the user's own, the hashes of a picture. Two rows
in a hundred are near-duplicates of an earlier one. The pictures have no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.edit_then_answer import D, F, Given
from benchmarks.searching import database_of
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.store.row import Row
from ravl.store.space import TEXT_BITS, Kind
from ravl.store.sqlite.records import to_record
from ravl.store.sqlite.schema import table_name
from ravl.store.sqlite.spaces import current_number
from ravl.store.sqlite.vectors import packed
from ravl.store.sqlite.words import WordIndex

BLOCK = 10_000  # rows that are made together
KINDS = 50  # labels
FEATURES = 100_000  # rows up to which pictures have features too
TWINS = 50  # one row in so many is a near-duplicate of the row before it
COLOURS = ("red", "blue", "green", "black", "white", "brown", "grey", "yellow")
FRAMES = (  # captions; nearly all have "a", most "the" and "on"
    "a {colour} {thing} is {doing} with a {other} on the {place}",
    "a {colour} {thing} and a {other} are {doing} near the {place}",
    "the {thing} is on a {colour} {other} in the {place}",
    "a photo of a {colour} {thing} {doing} on a {place}",
)


def open_memory(folder: Path, count: int) -> Memory:
    """The memory of so many rows in a folder; it is built if it is not there."""
    file = folder / f"scale-{count}.ravl"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        with Memory.create(part, Given()) as memory:
            _fill(memory, count)
        part.rename(file)
    return Memory.open(file, Given())


def word(kind: str, number: int) -> str:
    """A word of the captions that no stemmer changes."""
    return f"{kind}{number}"


def _fill(memory: Memory, count: int) -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(KINDS, F)).astype(np.float32)
    with memory.store.transaction():
        version = memory.store.history.begin("fill")
        for start in range(0, count, BLOCK):
            rows = list(_rows(random, start, min(start + BLOCK, count)))
            _put_rows(memory, version, rows)
            _put_vectors(memory, random, rows, centres, features=count <= FEATURES)
        memory.store.words.renew()
        database_of(memory).connection.executemany(
            "INSERT INTO column_names VALUES (?)", [("price",), ("brand",)]
        )


def _rows(random: np.random.Generator, start: int, stop: int) -> Iterator[Row]:
    size = stop - start
    hashes = random.integers(-(2**63), 2**63, size)
    # Frequent and rare things, as words are in every language.
    things = np.minimum(random.zipf(1.3, (2, size)), 5000)
    other = random.integers(0, 2**31, (6, size))
    for i in range(size):
        n = start + i
        if n % TWINS == TWINS - 1 and i:
            hashes[i] = hashes[i - 1] ^ np.int64(1 << int(other[0, i] % 60))
        caption = FRAMES[other[1, i] % len(FRAMES)].format(
            colour=COLOURS[other[2, i] % len(COLOURS)],
            thing=word("thing", things[0, i]),
            other=word("thing", things[1, i]),
            doing=word("doing", other[3, i] % 100),
            place=word("place", other[4, i] % 200),
        )
        yield Row(
            n + 1,
            f"pictures/{n // 1000:04}/{n:07}.jpg",
            memory_path(n),
            texts=(caption,),
            label=word("kind", n % KINDS),
            tags=(word("tag", other[5, i] % 300), word("thing", things[0, i])),
            columns={"price": int(n * 7919 % 1000), "brand": word("brand", n * 31 % 2000)},
            source="scale",
            hash=f"{n:064x}",
            width=640,
            height=480,
            phash=int(hashes[i]),
        )


def memory_path(number: int) -> Path:
    """Where the file of a row's picture would lie, from the memory's folder."""
    return Path("/nowhere") / f"{number // 1000:04}" / f"{number:07}.jpg"


def _put_rows(memory: Memory, version: int, rows: list[Row]) -> None:
    connection = database_of(memory).connection
    words = WordIndex(database_of(memory))
    for row in rows:
        fields = {"row": row.number, **to_record(row, memory.folder), "added": "", "changed": ""}
        names, marks = ", ".join(fields), ", ".join("?" * len(fields))
        connection.execute(f"INSERT INTO rows ({names}) VALUES ({marks})", [*fields.values()])
        words.put(row)
    connection.executemany(
        "INSERT INTO changes (version, row, id, action) VALUES (?, ?, ?, 'add')",
        [(version, row.number, row.id) for row in rows],
    )


def _put_vectors(
    memory: Memory, random: np.random.Generator, rows: list[Row], centres: Array, features: bool
) -> None:
    connection = database_of(memory).connection
    space = current_number(connection)
    seen = random.standard_normal((len(rows), F), np.float32)
    seen += centres[[row.number % KINDS for row in rows]]
    twins = [i for i, row in enumerate(rows) if (row.number - 1) % TWINS == TWINS - 1 and i]
    seen[twins] = seen[[i - 1 for i in twins]] + 0.1 * seen[twins]
    said = normalise(random.standard_normal((len(rows), D), np.float32))
    kinds: dict[Kind, tuple[int, Array]] = {
        "vectors": (0, normalise(seen[:, :D])),
        "text_vectors": (TEXT_BITS, said),
    }
    if features:
        kinds["features"] = 0, seen
    for kind, (bits, matrix) in kinds.items():
        connection.executemany(
            f"INSERT INTO {table_name(kind, space)} VALUES (?, ?)",
            [(row.number << bits, packed(v)) for row, v in zip(rows, matrix, strict=True)],
        )
