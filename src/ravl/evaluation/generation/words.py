"""Texts as words, as captions are compared."""

from __future__ import annotations

import re
from collections import Counter

LONGEST = 4  # words of an n-gram
CUT = 400  # words of a text that are compared
# Chinese, Japanese and Korean by characters; words keep their apostrophe and inner hyphens.
WORDS = re.compile(r"[⺀-鿿가-힯぀-ヿ]|[^\W_⺀-鿿가-힯぀-ヿ]+(?:['’-][^\W_⺀-鿿가-힯぀-ヿ]+)*")

Phrase = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation.

    Of longer texts the first ``CUT`` words. The COCO evaluation splits with Stanford's PTB
    tokenizer, which also parts clitics ("dog's" is two tokens there) and keeps numbers such as 1.5
    whole, so that scores may differ slightly from its own.
    """
    return WORDS.findall(text.lower())[:CUT]


def phrases(words: list[str]) -> Counter[Phrase]:
    """How often each n-gram of one to four words occurs."""
    count = len(words)
    return Counter(
        tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(count - n + 1)
    )
