from __future__ import annotations

from typing import Any

import pytest

from ravl.errors import DataError, QueryError
from ravl.tasks.labels.zero_shot import by_name
from tests.helpers import ColourEncoder, draw

PICTURES = [draw(i, colour) for i, colour in enumerate(("red", "green", "blue", "yellow"))]
NAMES = ["red", "green", "blue", "yellow"]


def test_labels_are_found_by_their_names(encoder):
    answers: list[Any] = by_name(encoder, PICTURES, NAMES)
    assert [a.label for a in answers] == NAMES
    assert all(sum(a.scores.values()) == pytest.approx(1) for a in answers)
    assert all(a.gate == 0 and not a.evidence and not a.memory for a in answers)


def test_tags_that_stand_out(encoder):
    answers: list[Any] = by_name(encoder, PICTURES[:1], [*NAMES, "purple"], exclusive=False)
    assert answers[0].tags[0] == "red"
    assert len(answers[0].tags) < 5


def test_a_template_changes_what_is_read():
    encoder = ColourEncoder()
    by_name(encoder, PICTURES[:1], NAMES, templates=["{}", "a {} thing"])
    assert encoder.read == 8
    # "blue" in front of every name draws all of them to blue.
    plain = by_name(encoder, PICTURES[2:3], ["red", "blue"], templates=["{}"])[0]
    drawn = by_name(encoder, PICTURES[2:3], ["red", "blue"], templates=["blue blue {}"])[0]
    assert drawn.scores["red"] > plain.scores["red"]


def test_no_picture_no_answer(encoder):
    assert by_name(encoder, [], NAMES) == []


def test_what_cannot_be_chosen_among(encoder):
    with pytest.raises(QueryError, match="There are 1 label names; give at least two"):
        by_name(encoder, PICTURES, ["red", " red ", ""])
    with pytest.raises(DataError, match="must hold {} once"):
        by_name(encoder, PICTURES, NAMES, templates=["a photo"])
