"""One broken picture of many."""

from __future__ import annotations

import pytest

from ravl.errors import PictureError, QueryError
from ravl.tasks.each import answer_each


def predict(pictures: list[str], beside: list[str] | None) -> list[str]:
    if broken := [p for p in pictures if "broken" in p]:
        raise PictureError(f"{broken[0]} is broken.")
    texts = beside or [""]
    return [p + (texts * len(pictures))[i] for i, p in enumerate(pictures)]


@pytest.mark.parametrize("broken", [(), (0,), (3, 4), tuple(range(7)), (6,)])
@pytest.mark.parametrize("texts", [None, ["+"], list("abcdefg")])
def test_the_others_are_answered(broken: tuple[int, ...], texts: list[str] | None) -> None:
    pictures = [f"broken {i}" if i in broken else f"{i}" for i in range(7)]
    found = answer_each(predict, pictures, texts, together=4)
    for i, answer in enumerate(found):
        if i in broken:
            assert str(answer) == f"broken {i} is broken."
        else:
            assert answer == f"{i}" + ("" if texts is None else (texts * 7)[i])


def test_one_picture_for_several_texts() -> None:
    def of_one(pictures: list[str], beside: list[str] | None) -> list[str]:
        return [predict(pictures, [text])[0] for text in beside or ()]

    assert answer_each(of_one, ["1"], ["a", "b"]) == ["1a", "1b"]
    found = answer_each(of_one, ["broken"], ["a", "b"])
    assert [str(error) for error in found] == ["broken is broken."] * 2


def test_other_errors_end_all() -> None:
    def refuse(pictures: list[str], beside: list[str] | None) -> list[str]:
        raise QueryError("another task")

    with pytest.raises(QueryError):
        answer_each(refuse, ["a", "b"])
