"""Tokens of the vocabulary that write nothing, and texts without them; needs no network."""

from __future__ import annotations

PAD, BEGIN, END = 0, 1, 2
SPECIAL = ("<|ravl pad|>", "<|ravl begin|>", "<|ravl end|>")  # in this order
LONGEST = 64  # tokens of a text, with the one that ends it
FOLDER = "vocabulary"


def clean(text: str) -> str:
    """Without what would be taken for a special token, and without lone surrogates."""
    for name in SPECIAL:
        text = text.replace(name, name.replace("|", "| "))
    return text.encode("utf-8", "replace").decode("utf-8")
