"""Tokenizers of an export: texts to ids and back, without the training library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravl.errors import DataError
from ravl.models.generation.special_tokens import BEGIN, END, FOLDER, LONGEST, clean
from ravl.retrieval.datastore import Ints

TOKENIZER = "tokenizer.json"


if TYPE_CHECKING:
    from tokenizers import Tokenizer


class OnnxTokenizer:
    """:class:`ravl.models.tokenizer.WordPieceTokenizer` for an export.

    Args:
        folder: the folder with the language model's ``tokenizer.json``.
        max_length: maximal number of word pieces of a text.
        separator: id of the word piece between texts.
        unknown: id for a text without word pieces.
    """

    def __init__(self, folder: Path, max_length: int, separator: int, unknown: int) -> None:
        self._tokenizer = _load(folder)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self.max_length, self.separator, self._unknown = max_length, separator, unknown

    def __call__(self, texts: Sequence[str]) -> list[Ints]:
        """Ids of each text, (t,) with t from 1 to ``max_length``, without special tokens."""
        plain = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        found = self._tokenizer.encode_batch(plain, add_special_tokens=False)
        return [np.array(one.ids or [self._unknown], np.int64) for one in found]


class OnnxVocabulary:
    """:class:`ravl.models.generation.vocabulary.WordVocabulary` for an export.

    Args:
        folder: the folder of the generator.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = _load(folder / FOLDER)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Sequence[str], max_length: int = LONGEST) -> list[list[int]]:
        """Ids of each text with ``BEGIN`` and ``END`` around it."""
        found = self._tokenizer.encode_batch([clean(t) for t in texts], add_special_tokens=False)
        return [[BEGIN, *one.ids[: max_length - 1], END] for one in found]

    def words_of(self, text: str) -> Ints:
        """The distinct ids of a text, ascending, without begin and end tokens."""
        ids = self._tokenizer.encode(clean(text), add_special_tokens=False).ids
        return np.unique(np.array(ids, np.int64))

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids, with a leading space if they contain one."""
        plain: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return plain


def _load(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # a plain Exception
        raise DataError(
            f"{folder / TOKENIZER} is missing or damaged ({error}). Export the run again."
        ) from error
