"""A memory of painted pictures that goes on growing, and runs of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ravl.memory import Memory
from ravl.tasks.fit import fit
from tests.labelled import shades


def grow(memory: Memory, colours: Sequence[str], count: int, first: int) -> None:
    """Pictures of these colours come in, numbered from ``first``."""
    memory.add(shades(memory.folder / "pictures", count, colours, first))


def relabel(memory: Memory, turn: int) -> None:
    """Call every picture by the name that comes so many places later."""
    rows = list(memory)
    names = sorted({row.label or "" for row in rows})
    for row in rows:
        memory.update(row.id, label=names[(names.index(row.label or "") + turn) % len(names)])


def fitted(
    memory: Memory, folder: Path, model: str = "linear", task: str = "classify", **how: Any
) -> Path:
    fit(task, memory, out=folder, progress=False, model=model, **how)
    return folder
