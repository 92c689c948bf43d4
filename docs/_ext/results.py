"""What was measured, from benchmarks/results: each file becomes a section."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
OTHERS = "..."
BY = re.compile(r"^(Measured with `python -m benchmarks \w+`) on \{(.*)\}\.$", re.MULTILINE)


def reference(names: Sequence[str]) -> str:
    """Sections of these files; ``...`` stands for all others.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    others = sorted({file.stem for file in FOLDER.glob("*.md")} - set(names))
    listed = [n for name in names for n in (others if name == OTHERS else [name])]
    return "\n".join(_section(name) for name in listed)


def _section(name: str) -> str:
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    title, _, rest = text.partition("\n")
    said = BY.sub(
        lambda found: found[1] + ", " + found[2].replace("'", "").replace(": ", " ") + ".", rest
    )
    return f"(results-{name})=\n## {title.lstrip('# ').capitalize()}\n{said}"
