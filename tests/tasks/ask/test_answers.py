"""Answers as names: what is one answer and what is another."""

from __future__ import annotations

import pytest

from ravl.data import QA
from ravl.tasks.ask.answers import answers_of, normal, shares


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Red", "red"),
        ("  dark   blue ", "dark blue"),
        ("tape_dispenser", "tape dispenser"),
        ("Yes.", "yes"),
        ("a  dog", "dog"),
        ("NO", "no"),
        ("two", "2"),
        ("2", "2"),
        ("none", "0"),
        ("pen, book", "book, pen"),
        ("book , pen,", "book, pen"),
        ("two, one", "1, 2"),
        ("1,000", "1 000"),
        ("书、笔", "书, 笔"),
        ("", ""),
        (" ,; ", ""),
        ("“x”", "x"),
        ("🙂", "🙂"),
        ("C++ .", "c"),
    ],
)
def test_what_an_answer_is_called(answer, name):
    assert normal(answer) == name


def test_a_spelt_out_set_is_one_persons_answer():
    daquar = QA("what is on the desk?", ("book, tape_dispenser", "book", "tape dispenser"))
    assert answers_of(daquar) == ["book, tape dispenser"]
    assert shares(daquar) == {"book, tape dispenser": 1.0}


def test_several_peoples_answers_are_shares_the_best_first():
    assert shares(QA("how many?", ("8", "seven", "7", "eight", "Eight"))) == {"8": 0.6, "7": 0.4}
    assert list(shares(QA("what?", ("b", "a", "a")))) == ["b", "a"]
    people = QA("what?", ("pen, book", "pen", "lamp"))  # lamp is not of the set
    assert shares(people) == pytest.approx({"book, pen": 1 / 3, "pen": 1 / 3, "lamp": 1 / 3})
    assert answers_of(QA("what?", ("cup_of_tea", "cup of tea"))) == ["cup of tea"] * 2
    assert shares(QA("what?", ())) == {}
    assert shares(QA("what?", (" ", "..."))) == {}
