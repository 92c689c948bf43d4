"""What is written, without white space around it; needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def tidy(pieces: Iterable[str], line: bool) -> Iterator[str]:
    """The same text in pieces, without white space around it.

    Args:
        pieces: of the text, in order; together or one by one, the result is the same.
        line: stop at the first line break.
    """
    held, begun = "", False
    for piece in pieces:
        held += piece
        if not begun:
            held = held.lstrip()
        cut = held.split("\n", 1)[0] if line else held
        body = cut.rstrip()
        if body:
            yield body
            begun = True
        if len(cut) < len(held):
            return
        held = held[len(body) :]
