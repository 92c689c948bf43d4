from __future__ import annotations

import numpy as np
import pytest

from ravl.evaluation.generation.words import CUT, phrases, words_of
from ravl.models import consensus
from ravl.models.consensus import Phrases, alike, support

TEXTS = [
    "a dog runs on the beach",
    "the dog runs along a beach",
    "a black dog runs on a beach",
    "two people eat pizza",
]


def phrases_of(texts: list[str]) -> Phrases:
    return Phrases.of(texts, range(len(texts)))


def test_words_are_lower_case_without_marks() -> None:
    assert words_of("A dog's bone, twice!") == ["a", "dog's", "bone", "twice"]


def test_chinese_is_read_by_characters() -> None:
    assert words_of("红色 shirt") == ["红", "色", "shirt"]


def test_phrases_have_up_to_four_words() -> None:
    found = phrases(["a", "b", "c", "d", "e"])
    assert ("a", "b", "c", "d") in found
    assert max(map(len, found)) == 4
    assert sum(found.values()) == 5 + 4 + 3 + 2


def test_a_text_is_like_itself_and_unlike_one_that_shares_nothing() -> None:
    made = phrases_of(TEXTS)
    found = alike(made(TEXTS), made(TEXTS))
    assert np.allclose(np.diag(found), 1, atol=1e-5)
    assert found[0, 3] == 0
    assert found[0, 1] > found[0, 3]


def test_what_most_agree_with_is_best_supported() -> None:
    made = phrases_of(TEXTS)
    vectors = made(TEXTS)
    own = np.eye(4, dtype=bool)
    found = support(vectors, vectors, np.full(4, 0.25, np.float32), own)
    assert found.argmin() == 3


def test_a_voter_without_a_share_does_not_count() -> None:
    made = phrases_of(TEXTS)
    shares = np.array([0, 0, 0, 1], np.float32)
    found = support(made(TEXTS), made(TEXTS), shares, None)
    assert found[3] == pytest.approx(1, abs=1e-5)
    assert found[:3].max() == 0


def test_nobody_speaks_for_itself() -> None:
    made = phrases_of(["a cat sleeps", "a cat sleeps", "a red bus"])
    vectors = made(["a cat sleeps", "a red bus"])
    own = np.array([[True, False], [False, True]])
    found = support(vectors, vectors, np.array([0.5, 0.5], np.float32), own)
    assert found[1] < 0.1  # "a red bus" has only the cat to agree with


def test_phrases_that_come_later_can_be_compared() -> None:
    made = phrases_of(TEXTS)
    before = made(["a zebra yawns"])
    after = made(["a zebra yawns", "another brand new phrase"])
    assert alike(before, after)[0, 0] == pytest.approx(0.75, abs=1e-5)  # no phrase of four words


def test_rare_words_count_more() -> None:
    texts = ["the dog", "the cat", "the cow", "the fox"]
    made = phrases_of(texts)
    found = alike(made(["the dog"]), made(["the bird", "one dog"]))[0]
    assert found[1] > found[0]


def test_a_text_without_words_is_like_nothing() -> None:
    made = phrases_of(TEXTS)
    assert alike(made(["!!!", ""]), made(TEXTS)).max() == 0


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consensus, "KNOWN", 3)
    made = phrases_of(TEXTS)
    made([f"text {i}" for i in range(20)])
    assert len(made._known) <= 3


def test_a_very_long_text_is_cut() -> None:
    assert len(words_of("word " * 10_000)) == CUT
