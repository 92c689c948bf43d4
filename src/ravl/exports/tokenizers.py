"""Tokenizers for an export: their files, checked to give the same ids."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import EncoderError
from ravl.json_types import JsonObject
from ravl.models.generation.special_tokens import END, FOLDER
from ravl.runtime.tokenizer import TOKENIZER, OnnxTokenizer, OnnxVocabulary

if TYPE_CHECKING:
    from ravl.models.generation.vocabulary import WordVocabulary
    from ravl.models.tokenizer import WordPieceTokenizer

# Capitals, accents, other scripts, signs, white space, half a letter, and an unknown word.
PROBES = (
    "two dogs run on a red field",
    "Crème brûlée, 3.5 kg — it's “good”!",
    "一只黑色的猫 is here",
    "  spaces\tand\nlines  ",
    "<|ravl end|> [SEP] </s>",
    "half \ud800 letter",
    "",
    "zxqv " * 80,
)


def keep_words(source: Path, folder: Path, words: WordPieceTokenizer) -> JsonObject:
    """Copy the tokenizer of a language model that reads.

    Args:
        source: the run's folder of it.
        folder: of the export.
        words: as the run loads it, a :class:`ravl.models.tokenizer.WordPieceTokenizer`.

    Returns:
        What the manifest says: ids of the ``separator`` and of the ``unknown``.

    Raises:
        EncoderError: it is of a kind that cannot be kept.
    """
    _copy(source, folder)
    unknown = int(words([""])[0][0])
    about = {"separator": int(words.separator), "unknown": unknown}
    plain = OnnxTokenizer(folder, words.max_length, **about)
    expected = [ids.tolist() for ids in words(list(PROBES))]
    _check(expected == [ids.tolist() for ids in plain(list(PROBES))], source)
    return about


def keep_vocabulary(source: Path, folder: Path, vocabulary: WordVocabulary) -> None:
    """Copy the tokenizer of what is written; see :func:`keep_words`."""
    _copy(source / FOLDER, folder / FOLDER)
    plain = OnnxVocabulary(folder)
    ids = [its.tolist() for its in vocabulary(list(PROBES))]
    same = ids == plain(list(PROBES)) and len(vocabulary) == len(plain)
    written = [vocabulary.text([i for i in its if i > END]) for its in ids]
    _check(same and written == [plain.text(its).removeprefix(" ") for its in ids], source / FOLDER)


def _copy(source: Path, folder: Path) -> None:
    file = source / TOKENIZER
    _check(file.is_file(), source)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, folder / TOKENIZER)


def _check(same: bool, source: Path) -> None:
    if not same:
        raise EncoderError(
            f"The tokenizer in {source} reads texts in ways of its own, and cannot be exported. "
            "Fit with a language model that has a tokenizer.json, such as the builtin one."
        )
