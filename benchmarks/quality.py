"""Flickr8k dev, 1,000 photos with 5 captions each: recall of the untrained builtin encoder.

Dense search only (a caption would find its own words). Per cent with 95 % intervals, by bootstrap
over photos. Text -> picture: the photo is among the first k of 1,000. Picture -> text: one of its
five captions is among the first k of 5,000.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.report import Lines, picture_set, with_interval
from ravl.data import Example
from ravl.memory import Memory

DEPTHS = (1, 5, 10)
TINY: dict[str, object] = {}  # the painted sets are few pictures


def run() -> Lines:
    folder, rows = picture_set("flickr8k")
    rows = [r for r in rows if r["split"] != "train"]
    with (
        tempfile.TemporaryDirectory() as temporary,
        Memory.create(Path(temporary) / "f.ravl") as memory,
    ):
        memory.add([Example(r["image"], folder / r["image"], tuple(r["captions"])) for r in rows])
        queries = [c for r in rows for c in r["captions"]]
        owners = [r["image"] for r in rows for _ in r["captions"]]
        found = memory.search(queries, k=10, mode="dense")
        ranks = [_rank([h.id for h in hits], id) for hits, id in zip(found, owners, strict=True)]
        by_photo = np.array(ranks).reshape(len(rows), -1)
        found = memory.search([folder / r["image"] for r in rows], k=10, target="texts")
        texts = [
            _rank([h.id for h in hits], r["image"]) for hits, r in zip(found, rows, strict=True)
        ]
    return [
        {
            "direction": name,
            **{f"R@{k}": with_interval((ranks <= k).mean(axis=1).tolist()) for k in DEPTHS},
        }
        for name, ranks in (
            ("text -> picture", by_photo),
            ("picture -> text", np.array(texts)[:, None]),
        )
    ]


def _rank(ids: list[str], wanted: str) -> int:
    return ids.index(wanted) + 1 if wanted in ids else 10**6
