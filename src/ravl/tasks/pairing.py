"""What is asked: one picture or several, and as many texts or questions where a task takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from PIL import Image

from ravl.errors import QueryError
from ravl.memory import Picture

T = TypeVar("T")
OnePicture = Picture | str  # a path, the bytes of a file, or a PIL picture


def picture_list(pictures: OnePicture | Iterable[OnePicture]) -> tuple[list[OnePicture], bool]:
    """One picture or several as a list, and whether it was one."""
    if isinstance(pictures, str | bytes | Path | Image.Image):
        return [pictures], True
    return list(pictures), False


def text_list(texts: str | Iterable[str]) -> list[str]:
    """One text or several as a list."""
    return [texts] if isinstance(texts, str) else list(texts)


def check_pairs(pictures: int, texts: int, noun: str) -> None:
    """Refuse numbers that do not fit: there must be as many of both, or one of either.

    Args:
        pictures, texts: how many there are.
        noun: what the texts are called: "text" or "question".

    Raises:
        QueryError: the numbers do not fit.
    """
    if pictures != texts and 1 not in (pictures, texts):
        raise QueryError(
            f"There are {pictures:,} pictures and {texts:,} {noun}s. Give as many of both, "
            "or one of either for all of the others."
        )
