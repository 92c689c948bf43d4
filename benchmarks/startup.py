"""How long the command line takes to answer; the aim is `ravl --help` under 0.25 s.

`python -c pass` is what the interpreter alone takes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Lines, alternate, picture_set
from ravl.data import Example
from ravl.memory import Memory

TIMES = 9
TINY = {"TIMES": 1}


def run() -> Lines:
    ravl = Path(sys.executable).with_name("ravl")
    folder, rows = picture_set("tuxpaint_stamps")
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "stamps.ravl"
        with Memory.create(file) as memory:
            memory.add(
                [Example(r["image"], folder / r["image"], tuple(r["captions"])) for r in rows]
            )
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "ravl --help": [ravl, "--help"],
            "ravl info (1,030 rows)": [ravl, "info", file],
            "ravl search, keyword": [ravl, "search", file, "a flower", "--mode", "keyword"],
            "ravl search, fused": [ravl, "search", file, "a red flower"],
        }
        works = [
            lambda c=c: subprocess.run(c, check=True, capture_output=True)
            for c in commands.values()
        ]
        times = alternate(works, repeat=TIMES)
    return [{"command": c, "seconds": round(t, 3)} for c, t in zip(commands, times, strict=True)]
