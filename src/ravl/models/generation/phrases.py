"""Whether a text has a word or a phrase in it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ravl.models.generation.base import Decoding

NEVER = re.compile(r"(?!)")


def pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Finds any of them as whole words, in any case and with any white space within.

    Words of scripts without spaces, such as Chinese, have no edges, and are found anywhere.
    """
    parts = [
        _edge(words[0][:1]) + r"\s+".join(map(re.escape, words)) + _edge(words[-1][-1:])
        for phrase in phrases
        if (words := phrase.split())
    ]
    return re.compile("|".join(parts), re.IGNORECASE | re.ASCII) if parts else NEVER


def occurs(phrase: str, text: str) -> bool:
    """Whether it is in the text; an empty one is in any."""
    return not phrase.split() or pattern([phrase]).search(text) is not None


def keeps(text: str, how: Decoding) -> bool:
    """Whether a text has all that a decoding requires, and nothing that it forbids."""
    return all(occurs(p, text) for p in how.require) and not pattern(how.forbid).search(text)


def _edge(letter: str) -> str:
    return r"\b" if letter.isascii() and letter.isalnum() else ""
