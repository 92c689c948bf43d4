"""A memory of coloured pictures about which questions have been answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ravl.data import QA, Example
from tests.helpers import draw

TASTES = {"red": "hot", "green": "sour", "blue": "cold", "yellow": "sweet"}
KIND, TASTE = "which kind is it?", "how does it taste?"


def asked(
    folder: Path, count: int = 48, colours: Sequence[str] = tuple(TASTES), first: int = 0
) -> list[Example]:
    """Pictures of a colour each with two questions: answers need picture and question."""
    folder.mkdir(parents=True, exist_ok=True)
    examples = []
    for i in range(first, first + count):
        colour = colours[i % len(colours)]
        path = folder / f"{colour}_{i:03d}.png"
        draw(i + 1000, colour, (48, 32)).save(path)
        qa = (QA(KIND, (colour.capitalize(),)), QA(TASTE, (TASTES[colour], TASTES[colour])))
        examples.append(Example(path.name, path, qa=qa, columns={"number": i}))
    return examples
