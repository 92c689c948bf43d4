"""What cells and values mean."""

import math
from datetime import date
from decimal import Decimal

import pytest

from ravl.data import QA
from ravl.data.readers import values


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("12", "12"),
        (True, True),
        (1.5, 1.5),
        (7.0, 7),  # pandas makes floats of whole numbers if one is missing
        (math.nan, None),
        (math.inf, None),
        (None, None),
        (2**70, str(2**70)),
        (Decimal("1.5"), 1.5),
        (date(2024, 1, 2), "2024-01-02"),
        (b"x", None),
        ([1, "ä"], '[1, "ä"]'),
        ({"a": [None]}, '{"a": [null]}'),
        ({"on": date(2024, 1, 2)}, '{"on": "2024-01-02"}'),
    ],
)
def test_scalar(value, kept):
    found = values.scalar(value)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (" a dog ", ["a dog"]),
        ("", []),
        (None, []),
        (math.nan, []),
        (3, ["3"]),
        (3.0, ["3"]),
        (True, ["true"]),
        (["a", "", None, "b", "a"], ["a", "b", "a"]),
        (['["a"]'], ['["a"]']),  # a text in a list is a text
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),  # as pandas writes lists
        ("[inaudible]", ["[inaudible]"]),
        ("[1]", ["[1]"]),
        ("['a' +", ["['a' +"]),
        ({"raw": "a", "tokens": ["x"]}, ["a"]),
        ([{"answer": "yes", "answer_confidence": "maybe"}, {"answer": "no"}], ["yes", "no"]),
        ({"de": "Hund", "en": "dog", "n": 2}, ["Hund", "dog"]),
        ("[" * 100_000 + "]", ["[" * 100_000 + "]"]),
    ],
)
def test_strings(value, texts):
    assert values.strings(value) == texts


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a; b,c ;a", ["a", "b,c"]),
        ("a, b", ["a", "b"]),
        ("a|b| ", ["a", "b"]),
        ("a b", ["a b"]),
        ('["a, b", "c"]', ["a, b", "c"]),
        ('["a, b"]', ["a, b"]),
        (["a, b", "c", "c"], ["a, b", "c"]),
        (None, []),
    ],
)
def test_tags(value, words):
    assert values.tags(value) == words


def test_one_refuses_several():
    assert values.one(["a"], "label") == "a"
    assert values.one("", "label") is None
    with pytest.raises(ValueError, match="'label' has 2 values, among them 'a' and 'b'"):
        values.one(["a", "b"], "label")


def test_questions():
    listed = [{"question": "what?", "answers": ["a", "b"]}, {"question": "who?", "answer": "c"}]
    assert values.questions(listed) == [QA("what?", ("a", "b")), QA("who?", ("c",))]
    assert values.questions('[{"question": "what?"}]') == [QA("what?", ())]
    assert values.questions(None) == values.questions("") == []


@pytest.mark.parametrize("value", ["[", "what?", [{"q": 1}], ["what?"], {"question": "?"}, 5])
def test_questions_refuses_other_things(value):
    with pytest.raises(ValueError, match='"qa" must be a list'):
        values.questions(value)


def test_best_answer_comes_first_and_all_are_kept():
    assert values.answers(["no", "yes", "no", "yes"], "yes") == ("yes", "yes", "no", "no")
    assert values.answers(["no"], "yes") == ("yes", "no")
    assert values.answers(None, "yes") == ("yes",)
    assert values.by_frequency(["a", "b", "c", "b"]) == ["b", "b", "a", "c"]
