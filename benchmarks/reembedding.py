"""A re-embedding pass, in seconds for 100,000 rows: what changes when the retriever is trained.

1,000 photographs of Flickr8k's dev split, with five captions each or none, get an encoder with
trained heads, without and with a tuned vision network beside them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import Lines, picture_set
from ravl.data import Example
from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import Array
from ravl.encoders.heads import Head
from ravl.encoders.towers.vision import VisionTower
from ravl.encoders.trained import TrainedEncoder
from ravl.memory import Memory

ROWS = 100_000
D = 256
TINY = {"ROWS": 100}


def run() -> Lines:
    folder, rows = picture_set("flickr8k")
    rows = [r for r in rows if r["split"] != "train"]
    base = load_encoder("builtin")
    tower = VisionTower(base, "top:7", 288)
    encoders = {
        "trained heads": trained(base),
        "trained heads and a tuned vision network": trained(base, tower),
    }
    lines: Lines = []
    for texts in (False, True):
        examples = [
            Example(r["image"], folder / r["image"], tuple(r["captions"]) if texts else ())
            for r in rows
        ]
        for name, encoder in encoders.items():
            with tempfile.TemporaryDirectory() as temporary:
                seconds, reused = reembedded(Path(temporary) / "m.ravl", base, encoder, examples)
            minutes = round(ROWS / len(rows) * seconds / 60, 1)
            lines.append(
                {
                    "new encoder": name,
                    "captions a row": 5 * texts,
                    "looked at": len(rows) - reused,
                    "rows/s": round(len(rows) / seconds),
                    "minutes for 100,000": minutes,
                }
            )
            print(lines[-1], flush=True)
    return lines


def reembedded(
    file: Path, base: Encoder, encoder: Encoder, examples: list[Example]
) -> tuple[float, int]:
    """Seconds of the pass, and pictures that were not looked at."""
    with Memory.create(file, base) as memory:
        memory.add(examples)
        began = time.monotonic()
        report = memory.reembed(encoder, progress=False)
        return time.monotonic() - began, report.reused


def trained(base: Encoder, tower: VisionTower | None = None) -> TrainedEncoder:
    """Heads with random weights: what they compute does not matter here."""
    random = np.random.default_rng(0)

    def head(size: int) -> Head:
        def zeros(n: int) -> Array:
            return np.zeros(n, np.float32)

        weight = random.normal(size=(D, size)).astype(np.float32)
        return Head(mean=zeros(size), scale=zeros(size) + 1, weight=weight, bias=zeros(D))

    size = base.feature_dimension * (2 if tower else 1)
    tuned = tower.state() if tower else None
    return TrainedEncoder(base, head(size), head(base.dimension), 0.5, beside=tuned)
