"""Which functions run in a real call, file by file: writes docs/development/walks.md.

    python scripts/walk.py            # writes the page
    python scripts/walk.py search     # prints one walk

Each walk is a command of the CLI on a small memory of drawn pictures, with the builtin encoder. It
is run twice, and the second time is recorded, so that nothing of an import is in it.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from PIL import Image

import ravl
from ravl.cli import cli

SOURCE = str(Path(ravl.__file__).parent) + "/"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "development" / "walks.md"
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 210),
    "grey": (90, 90, 90),
}
PICTURES = 48
OPTIMISED = 0x1  # flag of a function's code; the code of modules and classes lacks it
DEEPEST = 8  # levels of indentation


@dataclass
class Walk:
    """The functions of ravl that ran, in the order of their first call.

    Args:
        steps: depth, file below ``src/ravl`` and qualified name of each function's first call.
        calls: of all functions, how often.
        changes: how often a function of another file was called than the one before, main thread.
    """

    steps: list[tuple[int, str, str]] = field(default_factory=list)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: int = 0

    def text(self) -> str:
        """One line for each run of functions of one file; indented by depth."""
        lines = []
        for (depth, file), group in groupby(self.steps, key=lambda step: (step[0], step[1])):
            names = dict.fromkeys(name for _, _, name in group)
            lines.append(f"{'  ' * min(depth, DEEPEST)}{file}: {', '.join(names)}")
        return "\n".join(lines)

    def figures(self) -> str:
        """How much there is to read, in words."""
        files = {file for file, _ in self.calls}
        return (
            f"{len(files)} files, {len(self.calls)} functions, {self.calls.total():,} calls, "
            f"{self.changes:,} changes of file in the main thread."
        )


@contextlib.contextmanager
def recorded() -> Iterator[Walk]:
    """Record what runs inside, in all threads that start inside."""
    walk, lock = Walk(), threading.Lock()
    main, last = threading.get_ident(), [""]

    def hook(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not (place := _place(frame.f_code)):
            return
        with lock:
            if place not in walk.calls:
                walk.steps.append((_depth(frame), *place))
            walk.calls[place] += 1
            if threading.get_ident() == main:
                walk.changes += last[0] not in ("", place[0])
                last[0] = place[0]

    threading.setprofile(hook)
    sys.setprofile(hook)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _place(code: CodeType) -> tuple[str, str] | None:
    """File and name of a function of ravl; None for other code, comprehensions and the like."""
    if not code.co_filename.startswith(SOURCE) or not code.co_flags & OPTIMISED:
        return None
    if code.co_name.startswith("<"):
        return None
    return code.co_filename.removeprefix(SOURCE), code.co_qualname.replace(".<locals>", "")


def _depth(frame: FrameType) -> int:
    """How many functions of ravl are open around this one."""
    depth, outer = 0, frame.f_back
    while outer is not None:
        depth += _place(outer.f_code) is not None
        outer = outer.f_back
    return depth


def draw(folder: Path) -> None:
    """Pictures of four colours in a folder for each, which is their label."""
    rng = np.random.default_rng(0)
    for i in range(PICTURES):
        name = list(COLOURS)[i % len(COLOURS)]
        pixels = np.clip(rng.normal(COLOURS[name], 40, (48, 64, 3)), 0, 255).astype(np.uint8)
        file = folder / name / f"{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((128, 96)).save(file)


def commands(folder: Path) -> dict[str, Callable[[int], Sequence[str]]]:
    """Walks by name: what the command line is, the first and the second time."""
    picture = str(next((folder / "pictures" / "red").iterdir()))
    shop, kinds = str(folder / "1.ravl"), str(folder / "kinds")
    fit = ["fit", "classify", shop, "--model", "linear", "-q"]
    return {
        "index": lambda i: [
            "index",
            str(folder / "pictures"),
            "-m",
            str(folder / f"{i}.ravl"),
            "-q",
        ],
        "search": lambda _: ["search", shop, "a red thing"],
        "fit": lambda i: [*fit, "--out", kinds if i else str(folder / "first")],
        "classify": lambda _: ["classify", kinds, picture],
    }


TITLES = {
    "index": ("`ravl index`", "A folder of pictures becomes rows and vectors."),
    "search": ("`ravl search`", "A text finds pictures, by vectors and by words."),
    "classify": ("`ravl classify`", "A fitted run gives a picture a label, with the evidence."),
    "fit": (
        "`ravl fit classify`",
        "Labels become a run: the vote, a linear head, the gate, and the report.",
    ),
}


def walks() -> dict[str, Walk]:
    """All walks by name."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "pictures")
        for what, line in commands(folder).items():
            for i in range(2):
                with contextlib.redirect_stdout(io.StringIO()), recorded() as walk:
                    cli.main(list(line(i)), standalone_mode=False)
            found[what] = walk
    return found


def page(found: dict[str, Walk]) -> str:
    """The page of the documentation."""
    parts = [
        "# Walks through the code\n\n"
        "The functions of ravl that run in four real calls, in the order of their first call.\n"
        "Each line is a file of `src/ravl` with its functions, indented by how deep the call is.\n"
        "`python scripts/walk.py` writes this page: run it again when you have moved code.\n"
    ]
    for what, (title, about) in TITLES.items():
        walk = found[what]
        parts.append(f"## {title}\n\n{about} {walk.figures()}\n\n```text\n{walk.text()}\n```\n")
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> None:
    """Write the page, or print the walks that are named."""
    found = walks()
    for what in arguments:
        print(f"{found[what].figures()}\n{found[what].text()}")
    if not arguments:
        PAGE.write_text(page(found), "utf-8")
        for what, walk in found.items():
            print(f"{what}: {walk.figures()}")


if __name__ == "__main__":
    main(sys.argv[1:])
