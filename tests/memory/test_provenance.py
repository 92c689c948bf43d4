"""What a source says now is what the memory says; what a person said stays."""

from __future__ import annotations

from typing import Any

import pytest

from ravl.data import QA, Example
from ravl.memory.provenance import Claim, merged
from ravl.store.row import Row

SAID = Example(
    "a",
    texts=("one", "two"),
    label="cat",
    tags=("x", "y"),
    qa=(QA("q?", ("1", "2")),),
    columns={"price": 3, "shop": "north"},
)
NOTHING = Example("a")


def row_of(example: Example, **changes: Any) -> Row:
    fields = {n: getattr(example, n) for n in ("texts", "label", "tags", "qa", "columns", "source")}
    return Row(1, "a", **{**fields, **changes})


def test_a_claim_comes_back_from_its_text() -> None:
    claim = Claim.of(SAID)
    assert Claim.from_json(claim.to_json()) == claim
    assert "one" not in claim.to_json()
    assert "north" not in claim.to_json()
    assert Claim.from_json(Claim.of(NOTHING).to_json()) == Claim() == Claim.of(NOTHING)


def test_the_first_time_what_is_said_replaces_and_the_rest_stays() -> None:
    old = row_of(SAID)
    assert merged(old, NOTHING) == old
    new = merged(old, Example("a", texts=("three",), label="dog", columns={"price": 4}))
    assert (new.texts, new.label, new.tags) == (("three",), "dog", ("x", "y"))
    assert new.columns == {"price": 4, "shop": "north"}
    assert merged(old, Example("a", label="dog"), label_stays=True).label == "cat"
    assert merged(None, Example("a", label="dog"), label_stays=True).label == "dog"


def test_what_a_source_takes_back_goes() -> None:
    assert merged(row_of(SAID), NOTHING, Claim.of(SAID)) == row_of(NOTHING)


def test_what_a_source_says_anew_comes() -> None:
    new = Example("a", texts=("two", "three"), label="dog", qa=(QA("q?", ("3",)),))
    assert merged(row_of(SAID), new, Claim.of(SAID)) == row_of(new)
    assert merged(row_of(NOTHING), SAID, Claim.of(NOTHING)) == row_of(SAID)


def test_a_source_that_says_the_same_changes_nothing() -> None:
    edited = Row(1, "a", texts=("mine",), label="dog", columns={"price": 5})
    assert merged(edited, SAID, Claim.of(SAID)) == edited
    assert merged(row_of(NOTHING), SAID, Claim.of(SAID)) == row_of(NOTHING)  # a person erased it


@pytest.mark.parametrize("now", [NOTHING, Example("a", label="lion", columns={"price": 9})])
def test_what_a_person_set_stays(now: Example) -> None:
    edited = row_of(SAID, label="dog", columns={"price": 5, "shop": "north", "own": True})
    row = merged(edited, now, Claim.of(SAID))
    assert row.label == "dog"
    assert row.columns == {"price": 5, "own": True}  # but the source took its shop back


def test_lists_lose_and_gain_what_the_source_says() -> None:
    edited = row_of(SAID, texts=("two", "mine", "one"), tags=("y", "z"))
    now = Example("a", texts=("two", "three"), tags=("x", "w"))
    row = merged(edited, now, Claim.of(SAID))
    assert row.texts == ("two", "mine", "three")
    assert row.tags == ("z", "w")  # a person took x out, the source y


def test_questions_that_somebody_answered_keep_the_answer() -> None:
    edited = row_of(SAID, qa=(QA("q?", ("mine",)), QA("own?", ("yes",))))
    now = Example("a", qa=(QA("q?", ("3",)), QA("r?", ("4",))))
    row = merged(edited, now, Claim.of(SAID))
    assert row.qa == (QA("q?", ("mine",)), QA("own?", ("yes",)), QA("r?", ("4",)))


def test_a_whole_number_is_the_same_in_both_forms() -> None:
    said = Example("a", columns={"price": 3.0})
    assert Claim.of(said) == Claim.of(Example("a", columns={"price": 3}))
    assert Claim.of(Example("a", columns={"n": True})) != Claim.of(Example("a", columns={"n": 1}))
