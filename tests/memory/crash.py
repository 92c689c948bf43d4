"""Run by the crash tests as a process of its own: index a folder slowly, to be killed at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ravl.data import Example
from ravl.encoders.base import Array
from ravl.memory import Memory
from tests.helpers import ColourEncoder, trained_on


class SlowEncoder(ColourEncoder):
    batch_size = 4

    def features(self, prepared: Sequence[Array]) -> Array:
        time.sleep(0.02)
        return super().features(prepared)


def examples(folder: Path) -> list[Example]:
    return [
        Example(p.name, p, texts=(f"picture {p.stem}",), label=p.name.split("_")[0])
        for p in sorted(folder.glob("*.png"))
    ]


if __name__ == "__main__":
    what, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with Memory.open(file, SlowEncoder()) as memory:
        print("ready", flush=True)
        if what == "index":
            memory.add(examples(folder))
        elif what == "reembed":
            memory.reembed(SlowEncoder(mirror=True))
        elif what == "reembed-trained":
            memory.reembed(trained_on(SlowEncoder(mirror=True)))
        elif what == "hold":  # a writer that keeps others waiting
            with memory.database.transaction():
                print("holding", flush=True)
                time.sleep(float(sys.argv[4]))
    print("done", flush=True)
