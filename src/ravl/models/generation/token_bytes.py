"""What each token of a tokenizer writes, as bytes: also parts of letters, and spaces in front."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from transformers.convert_slow_tokenizer import bytes_to_unicode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTES = {letter: byte for byte, letter in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]


@lru_cache(maxsize=4)
def pieces(tokenizer: PreTrainedTokenizerBase) -> list[bytes]:
    """By id, joined they are a text's UTF-8; empty for special tokens.

    Knows byte-level tokens (GPT-2 and most later models), SentencePiece's and WordPiece's.
    """
    special = set(tokenizer.all_special_ids)
    special |= {i for i, t in tokenizer.added_tokens_decoder.items() if t.special}
    added = {i: t.content for i, t in tokenizer.added_tokens_decoder.items()}
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = json.dumps(json.loads(backend.to_str())["decoder"]) if backend else ""
    write = (
        _byte_level
        if "ByteLevel" in decoder
        else (_word_piece if "WordPiece" in decoder else _sentence_piece)
    )
    return [
        b"" if i in special or name is None else added[i].encode() if i in added else write(name)
        for i, name in enumerate(names)
    ]


def _byte_level(name: str) -> bytes:
    if any(letter not in _BYTES for letter in name):
        return name.encode()
    return bytes(_BYTES[letter] for letter in name)


def _word_piece(name: str) -> bytes:
    return (name[2:] if name.startswith("##") else f" {name}").encode()


def _sentence_piece(name: str) -> bytes:
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return bytes([int(name[3:5], 16)])
    return name.replace("▁", " ").encode("utf-8", "replace")
