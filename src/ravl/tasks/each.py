"""Answers to many pictures, of which some cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ravl.errors import PictureError

A = TypeVar("A")
P = TypeVar("P")


def answer_each(
    predict: Callable[[list[P], list[str] | None], Sequence[A]],
    pictures: Sequence[P],
    beside: Sequence[str] | None = None,
    together: int = 64,
) -> list[A | PictureError]:
    """The answer to each picture, or why it cannot be read; a broken picture stops no other one.

    Args:
        predict: answers a list of pictures with the texts beside them.
        pictures: to answer; or one, for all texts.
        beside: a text for all pictures, or one for each; None for a task without texts.
        together: pictures that are answered at a time.

    Raises:
        RavlError: any error that is not about one picture.
    """
    if beside is not None and len(beside) > 1 and len(beside) != len(pictures):
        return _of_one(predict, list(pictures), list(beside))
    found: list[A | PictureError] = []
    for start in range(0, len(pictures), together):
        part = slice(start, start + together)
        texts = beside[part] if beside is not None and len(beside) > 1 else beside
        found += _halves(predict, list(pictures[part]), None if texts is None else list(texts))
    return found


def _of_one(
    predict: Callable[[list[P], list[str] | None], Sequence[A]],
    pictures: list[P],
    beside: list[str],
) -> list[A | PictureError]:
    """Answers to several texts about one picture; other numbers are refused by the task."""
    try:
        return list(predict(pictures, beside))
    except PictureError as error:
        return [error] * len(beside)


def _halves(
    predict: Callable[[list[P], list[str] | None], Sequence[A]],
    pictures: list[P],
    beside: list[str] | None,
) -> list[A | PictureError]:
    """All at once; where one cannot be read, each half on its own."""
    try:
        return list(predict(pictures, beside))
    except PictureError as error:
        if len(pictures) == 1:
            return [error]
    half = len(pictures) // 2
    several = beside is not None and len(beside) > 1
    first, second = (beside[:half], beside[half:]) if beside and several else (beside, beside)
    return _halves(predict, pictures[:half], first) + _halves(predict, pictures[half:], second)
