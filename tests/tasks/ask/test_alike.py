"""How far answers are the same."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.models.consensus import alike
from ravl.tasks.ask.alike import WORDS, Alike


def similarity(*texts: str) -> np.ndarray:
    vectors = Alike()(texts)
    return alike(vectors, vectors.copy())


def test_answers_that_mean_the_same_are_one() -> None:
    found = similarity(
        "Two red shirts", "2 red shirts", "the books, a pen", "pen, books", "🙂", "🙂"
    )
    for i in (0, 2, 4):
        assert found[i, i + 1] == pytest.approx(1)
    assert found[0, 2] == 0


def test_shared_words_count_a_little() -> None:
    found = similarity("white board", "board", "chair")
    assert 0 < found[0, 1] < WORDS
    assert found[0, 2] == 0


def test_what_is_met_later_is_compared_with_what_was_met_before() -> None:
    made = Alike()
    first, second = made(["red"]), made(["blue", "red"])
    assert alike(first, second).round(5).tolist() == [[0, 1]]
    assert made([]).shape[0] == 0
