"""How some texts spell their words: capitals, the first letter, the mark at the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ravl.evaluation.generation.words import WORDS
from ravl.models.ngrams import Words

ENDS = ".!?\u3002\uff01\uff1f"
UNSPACED = re.compile("[\u2e80-\u9fff\uac00-\ud7af\u3040-\u30ff]")  # scripts without spaces


@dataclass(frozen=True, slots=True)
class Spelling:
    """Lower-case words to a text.

    Args:
        forms: the usual form of each word within a text.
        capital: most texts begin with a capital.
        end: the mark that most texts end with; empty for none.
    """

    forms: dict[str, str]
    capital: bool
    end: str

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """As most of some texts do it."""
        forms: dict[str, Counter[str]] = {}
        capitals, ends = Counter[bool](), Counter[str]()
        for text in texts:
            written = WORDS.findall(text)
            if not written:
                continue
            capitals[written[0][:1].isupper()] += 1
            ends[text.rstrip()[-1:] if text.rstrip()[-1:] in ENDS else ""] += 1
            for word in written[1:]:
                forms.setdefault(word.lower(), Counter())[word] += 1
        usual = {word: its.most_common(1)[0][0] for word, its in forms.items()}
        end = max(ends, key=lambda e: ends[e], default="")
        return cls(usual, capitals[True] > capitals[False], end)

    def __call__(self, words: Words) -> str:
        """The text of some words."""
        text = ""
        for word in words:
            glued = not text or (UNSPACED.match(word) and UNSPACED.match(text[-1]))
            text += ("" if glued else " ") + self.forms.get(word, word)
        return (text[:1].upper() + text[1:] if self.capital else text) + self.end
