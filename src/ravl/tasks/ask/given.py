"""What is asked: as many pictures as questions."""

from __future__ import annotations

from typing import Any

from ravl.errors import QueryError
from ravl.tasks.ask.entries import LONGEST
from ravl.tasks.labels.model import picture_list


def asked_about(pictures: Any, questions: Any) -> tuple[list[Any], list[str]]:
    """Pictures, and as many questions; the one that is single is repeated.

    Raises:
        QueryError: the numbers do not fit, or a question is empty.
    """
    seen, _ = picture_list(pictures)
    asked = [questions] if isinstance(questions, str) else list(questions)
    if len(seen) != len(asked) and 1 not in (len(seen), len(asked)):
        raise QueryError(
            f"There are {len(seen):,} pictures and {len(asked):,} questions. Give as many of "
            "both, or one of either for all of the others."
        )
    if empty := [i for i, q in enumerate(asked) if not q.strip()]:
        raise QueryError(
            f"The question number {empty[0] + 1} is empty. Ask something, such as 'what colour is "
            "it?'."
        )
    if len(asked) == 1:
        asked = asked * len(seen)
    return seen, [question[:LONGEST] for question in asked]
