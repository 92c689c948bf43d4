"""Indexing against the bare encoder; the aim is a share of 0.9 or more.

The bare encoder gets the same 1,000 photos of Flickr8k's dev split already decoded in memory;
indexing reads, hashes, decodes and checks the files and writes the memory. Taken in turns.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from benchmarks.report import Lines, alternate, picture_set
from ravl.data import Example, pictures
from ravl.encoders import load_encoder
from ravl.memory import Memory

TINY: dict[str, object] = {}  # the painted sets are few pictures


def run() -> Lines:
    folder, rows = picture_set("flickr8k")
    rows = [r for r in rows if r["split"] != "train"]
    encoder = load_encoder("builtin")
    paths = [folder / r["image"] for r in rows]
    decoded = [pictures.decode(p, hint=encoder.picture_size) for p in paths]
    plain = [Example(p.name, p) for p in paths]
    captioned = [Example(p.name, p, tuple(r["captions"])) for p, r in zip(paths, rows, strict=True)]
    texts = [c for r in rows for c in r["captions"]]
    with tempfile.TemporaryDirectory() as temporary:
        names = itertools.count()

        def index(examples: list[Example]) -> None:
            with Memory.create(Path(temporary) / f"{next(names)}.ravl", encoder) as memory:
                memory.add(examples)

        def both() -> None:
            encoder.embed_pictures(decoded)
            encoder.embed_texts(texts)

        bare, indexed = alternate(
            [lambda: encoder.embed_pictures(decoded), lambda: index(plain)], 3
        )
        bare_texts, with_texts = alternate([both, lambda: index(captioned)], 2)
        again = _again(Path(temporary) / "again.ravl", plain)
    n = len(rows)
    return [
        _line("pictures", n, bare, indexed),
        _line("pictures with 5 captions each", n, bare_texts, with_texts),
        _line("the same again, unchanged", n, bare, again),
    ]


def _again(file: Path, examples: list[Example]) -> float:
    with Memory.create(file) as memory:
        memory.add(examples)
        return alternate([lambda: memory.add(examples)], 3)[0]


def _line(what: str, count: int, bare: float, indexed: float) -> dict[str, object]:
    return {
        "what": what,
        "bare encoder, pictures/s": round(count / bare),
        "indexing, pictures/s": round(count / indexed),
        "share": round(bare / indexed, 2),
    }
