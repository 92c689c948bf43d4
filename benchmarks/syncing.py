"""Syncing 10,000 pictures in a hundred folders: none, a hundred renamed, a hundred new.

The pictures are small and drawn, so that the time is that of syncing and not of the network: the
last line says what a hundred of them take it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.report import Lines
from ravl.memory import Memory

COUNT, FOLDERS, SOME = 10_000, 100, 100
TINY = {"COUNT": 40, "FOLDERS": 4, "SOME": 4}


def run() -> Lines:
    lines: Lines = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "pictures"
        random = np.random.default_rng(0)
        for i in range(COUNT):
            paint(root / f"{i % FOLDERS}" / f"{i}.png", random)
        with Memory.create(Path(temporary) / "m.ravl") as memory:

            def step(what: str) -> None:
                report = memory.sync(root, progress=False)
                lines.append(
                    {
                        "what": what,
                        "seconds": round(report.seconds, 2),
                        "new": len(report.new),
                        "renamed": len(report.renamed),
                        "removed": len(report.removed),
                        "unchanged": report.unchanged,
                        "through the network": report.encoded,
                    }
                )
                print(lines[-1], flush=True)

            step("all are new")
            step("nothing happened")
            for i in range(SOME):
                path = root / f"{i % FOLDERS}" / f"{i}.png"
                path.rename(root / f"{(i + 7) % FOLDERS}" / f"renamed-{i}.png")
            step(f"{SOME} renamed")
            for i in range(SOME):
                paint(root / "new" / f"{i}.png", random)
            step(f"{SOME} new")
            for i in range(SOME):
                (root / "new" / f"{i}.png").unlink()
            step(f"{SOME} removed")
    return lines


def paint(path: Path, random: Any) -> None:
    """A picture of noise in its own colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.integers(0, 60, (32, 32, 3)) + random.integers(0, 195, 3)
    Image.fromarray(noise.astype(np.uint8)).save(path)
