"""Run by the crash tests as a process of its own: index a folder slowly, to be killed at it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ravl.data import Example
from ravl.encoders.base import Array
from ravl.memory import Memory
from tests.helpers import ColourEncoder, database_of, trained_on
from tests.waiting import PATIENCE, pause

LAST = 56  # pictures that are looked at before an encoder that is to be killed waits for it


class SlowEncoder(ColourEncoder):
    """Takes its time; with ``endless`` it never comes to the end of sixty pictures."""

    batch_size = 4
    endless = False

    def features(self, prepared: Sequence[Array]) -> Array:
        while self.endless and self.looked >= LAST:
            pause(PATIENCE)
        pause(0.02)
        return super().features(prepared)


def examples(folder: Path) -> list[Example]:
    return [
        Example(p.name, p, texts=(f"picture {p.stem}",), label=p.name.split("_")[0])
        for p in sorted(folder.glob("*.png"))
    ]


if __name__ == "__main__":
    what, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    SlowEncoder.endless = sys.argv[4:] == ["endless"]
    with Memory.open(file, SlowEncoder()) as memory:
        print("ready", flush=True)
        if what == "index":
            memory.add(examples(folder))
        elif what == "reembed":
            memory.reembed(SlowEncoder(mirror=True))
        elif what == "reembed-trained":
            memory.reembed(trained_on(SlowEncoder(mirror=True)))
        elif what == "hold":  # a writer that keeps others waiting
            with database_of(memory).transaction():
                print("holding", flush=True)
                sys.stdin.read(1)  # until it is told to go on, or its parent has gone
    print("done", flush=True)
