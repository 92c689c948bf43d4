"""Texts as a language model's word pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ravl.errors import EncoderError
from ravl.models.silence_transformers import silence_transformers

LONGEST = 64  # word pieces of a text; the rest is cut


class WordPieceTokenizer:
    """Turns texts into the ids that a :class:`ravl.models.fusion.FusionModel` takes as ``tokens``.

    Args:
        tokenizer: of the language model.
        max_length: word pieces that are kept of a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int = LONGEST) -> None:
        self._tokenizer = tokenizer
        self.max_length = max_length

    @property
    def separator(self) -> int:
        """Id of the word piece between texts: [SEP], or what the language model has for it."""
        found = self._tokenizer.sep_token_id
        return int(self._tokenizer.eos_token_id or 0) if found is None else int(found)

    def __call__(self, texts: Sequence[str]) -> list[Tensor]:
        """Ids of each text, (t,) with t from 1 to ``max_length``, without [CLS] and [SEP]."""
        if not texts:
            return []
        # A lone surrogate would stop the tokenizer.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        found = self._tokenizer(
            clean, add_special_tokens=False, truncation=True, max_length=self.max_length
        )["input_ids"]
        unknown = self._tokenizer.unk_token_id or 0
        return [torch.tensor(ids or [unknown], dtype=torch.long) for ids in found]

    def save(self, folder: Path) -> None:
        """The tokenizer's files, as transformers keeps them."""
        with silence_transformers():
            self._tokenizer.save_pretrained(folder)

    @classmethod
    def load(cls, source: str | Path, max_length: int = LONGEST) -> WordPieceTokenizer:
        """The tokenizer in the folder of a language model.

        Raises:
            EncoderError: there is none.
        """
        try:
            with silence_transformers():
                tokenizer = AutoTokenizer.from_pretrained(
                    source, local_files_only=True, trust_remote_code=False
                )
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"The language model in {source} has no tokenizer that can be loaded: {error}"
            ) from error
        return cls(tokenizer, max_length)
