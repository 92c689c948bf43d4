"""How good an answer is, beside what people answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation.answers import agreed, overlap
from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.tasks.ask.open_targets import are_short

# Names of things are right or wrong, and several people's count by how many gave them, which is
# what the metrics say, too (exact match, VQA's soft accuracy). Shared words settle what is equal by
# that, so that "white board" is a better mistake for "board" than "chair"; with more weight a
# generator would hedge: name two things where one is right.
WORDS = 0.1
ANYBODY = 0.15  # quality that only an answer has that somebody gave: of ten, one; see `agreed`
# Of whole sentences hardly two are the same: there words are all that can be compared.
HALF = 0.5  # F1 of a sentence that says about the same


def answer_quality(texts: Sequence[Sequence[str]]) -> Quality:
    """How answers are rated, from those of each training question: as names, or as sentences."""
    if are_short([its[0] for its in texts]):
        return Quality("accuracy", _named)
    return Quality("F1", _in_words)


def good_answer(quality: Quality, _: Sequence[Sequence[str]]) -> QualityBar:
    """What counts as a right answer."""
    if quality.measure == "F1":
        return QualityBar(HALF, f"one with an F1 of {HALF:g} or more: it shares half of its words")
    return QualityBar(ANYBODY, "one that somebody gave, as in the metric accuracy")


def _named(written: Sequence[str], people: Sequence[str]) -> NDArray[np.float64]:
    references = [people] * len(written)
    return (agreed(written, references) + WORDS * overlap(written, references)) / (1 + WORDS)


def _in_words(written: Sequence[str], people: Sequence[str]) -> NDArray[np.float64]:
    return overlap(written, [people] * len(written))
