"""What is asked: as many pictures as questions."""

from __future__ import annotations

from collections.abc import Iterable

from ravl.errors import QueryError
from ravl.tasks.ask.entries import LONGEST
from ravl.tasks.pairing import OnePicture, check_pairs, picture_list, text_list


def asked_about(
    pictures: OnePicture | Iterable[OnePicture], questions: str | Iterable[str] | None
) -> tuple[list[OnePicture], list[str]]:
    """Pictures, and as many questions; the one that is single is repeated.

    Raises:
        QueryError: the numbers do not fit, or a question is empty.
    """
    seen, _ = picture_list(pictures)
    asked = text_list(() if questions is None else questions)
    check_pairs(len(seen), len(asked), "question")
    if empty := [i for i, q in enumerate(asked) if not q.strip()]:
        raise QueryError(
            f"The question number {empty[0] + 1} is empty. Ask something, such as 'what colour is "
            "it?'."
        )
    if len(asked) == 1:
        asked = asked * len(seen)
    return seen, [question[:LONGEST] for question in asked]
