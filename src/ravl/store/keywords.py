"""Words for a full-text index, and the words of queries against it.

Tokenizers split at spaces, so a Chinese or Thai sentence would be one unfindable word. Runs of
characters of such a script are therefore indexed as their overlapping pairs (and single characters,
for one-character queries), the usual way without a dictionary. A vowel sign or tone mark belongs to
the letter before it.
"""

from __future__ import annotations

import re
import unicodedata

_CJK = (
    "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
_SOUTH_EAST_ASIA = (  # Thai and Lao, Burmese, Khmer, Tai scripts, Javanese
    "\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u109f\u1780-\u17d3\u1950-\u19df\u1a20-\u1aad\ua980-\ua9c0"
    "\ua9e0-\ua9fe\uaa60-\uaadf"
)
UNSPACED = re.compile(f"[{_CJK}{_SOUTH_EAST_ASIA}]+")
# Vowel points of Arabic and Hebrew, and the stroke that lengthens Arabic words: mostly not written.
_POINTS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
MOST_WORDS = 64  # of a query; the rest of a pasted page would only cost time
LONGEST_QUERY = 100 * MOST_WORDS  # characters of a query that are looked at


def words_of(query: str) -> list[str]:
    """The different words of a query, in their order; at most ``MOST_WORDS``.

    The index's single characters are asked for only by a query that has no pair to ask for.
    """
    text = _plain(query[:LONGEST_QUERY])
    spaced = UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)
    words = "".join(c if _is_of_word(c) else " " for c in spaced).split()
    return list(dict.fromkeys(w for w in words if any(map(str.isalnum, w))))[:MOST_WORDS]


def segment(text: str) -> str:
    """The text with each run of a script without spaces as its pairs and single characters.

    Wide, narrow and small forms of characters are made plain, and capitals small.
    """
    return UNSPACED.sub(
        lambda run: f" {' '.join(dict.fromkeys([*_pairs(run[0]), *_letters(run[0])]))} ",
        _plain(text),
    )


def _plain(text: str) -> str:
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _POINTS.sub("", folded)


def _pairs(run: str) -> list[str]:
    letters = _letters(run)
    return ["".join(letters[i : i + 2]) for i in range(len(letters) - 1)] or letters


def _letters(run: str) -> list[str]:
    """The characters, each with the marks that follow it."""
    letters: list[str] = []
    for character in run:
        if letters and unicodedata.category(character).startswith("M"):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _is_of_word(character: str) -> bool:
    """Whether a full-text index keeps a character: letters, digits and marks (see words.sql)."""
    return character.isalnum() or unicodedata.category(character)[0] in "LNM"
