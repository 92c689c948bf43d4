"""Rows that lack a vector: searches by similarity do not find them."""

from __future__ import annotations

from ravl.checking.issue import Issue
from ravl.memory import Memory


def unencoded(memory: Memory, where: str | None = None) -> list[Issue]:
    """Rows without the vector of their picture, or of one of their texts, the oldest first.

    No write makes such a row. ``reembed`` leaves one if a picture file is away, and older versions
    of ravl could, if two processes wrote at the same time.
    """
    store = memory.store
    numbers = store.vectors.missing(store.spaces.current().number)
    chosen = set(numbers) if where is None else set(memory.matching(where).tolist())
    seen, found = store.vectors.rows("vectors", numbers), []
    for number, row in sorted(store.rows.get(numbers).items()):
        if number in chosen:
            what = "its picture" if row.hash is not None and number not in seen else "a text"
            source = f" ({row.source})" if row.source else ""
            why = f"It has no vector of {what}. Index its source{source} again."
            found.append(Issue("unencoded", (row.id,), 1.0, why))
    return found
