"""Which English words are nouns, and which forms are of the same noun; for grounded mode.

A word has the class of its most frequent use in Brill's lexicon (Brill 1992; Wall Street Journal
and Brown corpora), which the package `textblob` holds as a file. So "dog" is a noun, and "runs",
"red" and "standing" are not nouns here, though dictionaries know such nouns as well. An unknown
word counts as a noun, because most new words are names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ravl.errors import QueryError

# What is left of contractions, which the lexicon does not write as we do.
_PARTS = ("d", "don", "doesn", "isn", "aren", "wasn", "ll", "m", "re", "s", "t", "ve")
_IRREGULAR = {
    "person": "people",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "mouse": "mice",
    "ox": "oxen",
}
_ENDINGS = (("man", "men"), ("y", "ies"), ("fe", "ves"), ("f", "ves"), ("", "s"), ("", "es"))


@lru_cache(maxsize=1)
def no_nouns() -> frozenset[str]:
    """English words that are mostly used as something else, in small letters.

    Raises:
        QueryError: the lexicon is not installed.
    """
    spec = find_spec("textblob")
    folder = spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else ""
    path = Path(folder) / "en" / "en-lexicon.txt"
    if not folder or not path.is_file():
        raise QueryError(
            "Grounded texts need a lexicon of English nouns, which is not installed. "
            "Run: pip install 'ravl[grounded]'"
        )
    tags = dict(
        line.split()
        for line in path.read_text("utf-8").splitlines()
        if line[:1].isalpha() and len(line.split()) == 2
    )
    usual = {word.lower(): tag for word, tag in tags.items()}  # "I", "American"
    usual |= {word: tag for word, tag in tags.items() if word.islower()}
    found = {word for word, tag in usual.items() if not tag.startswith(("NN", "FW"))}
    return frozenset(found.union(_PARTS))


def forms(nouns: Iterable[str]) -> frozenset[str]:
    """The nouns in small letters, with their singulars and plurals; some that do not exist."""
    found = {noun.lower() for noun in nouns}
    for noun in list(found):
        for one, many in (*_IRREGULAR.items(), *_ENDINGS):
            if noun.endswith(one):
                found.add(noun[: len(noun) - len(one)] + many)
            if noun.endswith(many):
                found.add(noun[: len(noun) - len(many)] + one)
    return frozenset(found - {""})
