"""Sentences with several references, to compare scorers on."""

from __future__ import annotations

import random

SUBJECTS = ("a dog", "the black dog", "a man", "two people", "a little girl", "several children")
VERBS = ("runs", "is running", "jumps", "is sitting", "plays", "stands")
PLACES = ("on the beach", "in the snow", "in front of a house", "near the water", "on grass", "")


def made(count: int = 40, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Candidates, and one to five references of each; some share much, some nothing."""
    draw = random.Random(seed)

    def sentence() -> str:
        parts = (draw.choice(SUBJECTS), draw.choice(VERBS), draw.choice(PLACES))
        return " ".join(" ".join(parts).split())

    candidates = [sentence() for _ in range(count)]
    references = [[sentence() for _ in range(draw.randint(1, 5))] for _ in range(count)]
    references[3] = [candidates[3], *references[3]]  # a perfect one
    candidates[5] = "zebra"  # shares nothing
    candidates[7] = candidates[7] + " " + candidates[7]  # says it twice
    return candidates, references
