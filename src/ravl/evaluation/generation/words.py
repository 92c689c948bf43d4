"""Split texts into words, for the comparison of captions."""

from __future__ import annotations

import re
from collections import Counter

LONGEST = 4  # maximal number of words of an n-gram
CUT = 400  # maximal number of words of a text
# Chinese, Japanese and Korean by characters; words keep their apostrophe and inner hyphens.
WORDS = re.compile(r"[⺀-鿿가-힯぀-ヿ]|[^\W_⺀-鿿가-힯぀-ヿ]+(?:['’-][^\W_⺀-鿿가-힯぀-ヿ]+)*")

Phrase = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation.

    Longer texts are cut after ``CUT`` words. The COCO evaluation uses Stanford's PTB tokenizer,
    which also splits clitics ("dog's" is two tokens there) and keeps numbers such as 1.5 whole, so
    scores can differ slightly.
    """
    return WORDS.findall(text.lower())[:CUT]


def phrases(words: list[str]) -> Counter[Phrase]:
    """The count of each n-gram of one to four words."""
    count = len(words)
    return Counter(
        tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(count - n + 1)
    )
