"""Words for a full-text index, and the words of queries against it.

Tokenizers split at spaces, so a Chinese sentence would be one unfindable word. Runs of
Chinese, Japanese and Korean characters are therefore indexed as their overlapping pairs (and
single characters, for one-character queries), the usual way without a dictionary.
"""

from __future__ import annotations

import re

CJK = re.compile(
    r"[\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+"
)
WORD = re.compile(r"\w+")
MOST_WORDS = 64  # of a query; the rest of a pasted page would only cost time


def words_of(query: str) -> list[str]:
    """The different words of a query, in their order; at most ``MOST_WORDS``.

    The index's single characters are asked for only by a query that has no pair to ask for.
    """
    spaced = CJK.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", query)
    words = [word.replace("\x00", "") for word in WORD.findall(spaced)]
    return list(dict.fromkeys(word for word in words if word))[:MOST_WORDS]


def segment(text: str) -> str:
    """The text with each run of CJK characters as its pairs and single characters."""
    return CJK.sub(lambda run: f" {' '.join(dict.fromkeys([*_pairs(run[0]), *run[0]]))} ", text)


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
