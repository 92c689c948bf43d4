"""The words that a corpus needs: a tokenizer of its own, so that the output layer stays small.

On a processor the output layer over a language model's thirty thousand word pieces would take most
of a decoder's time. A tokenizer that is learned on the texts that are to be written needs a few
thousand, loses nothing (it falls back on bytes, so that any language, markup or code comes out as
it went in), and is saved with the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ravl.errors import DataError
from ravl.models.generation.special_tokens import BEGIN, END, FOLDER, LONGEST, PAD, SPECIAL, clean
from ravl.models.silence_transformers import silence_transformers
from ravl.retrieval.datastore import Ints

__all__ = ["BEGIN", "END", "FOLDER", "LONGEST", "PAD", "SPECIAL", "WordVocabulary"]


class WordVocabulary:
    """Texts to the ids that a decoder writes, and back.

    Args:
        tokenizer: whose first ids are those of ``SPECIAL``.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    @classmethod
    def of(cls, texts: Iterable[str], size: int = 6000, fewest: int = 2) -> WordVocabulary:
        """Learned on the texts of a corpus (byte-pair encoding, Sennrich et al. 2016).

        Args:
            texts: that are to be written.
            size: tokens at most.
            fewest: times that a token must occur.
        """
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=fewest,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator((clean(text) for text in texts), trainer)
        fast: Any = PreTrainedTokenizerFast
        return cls(fast(tokenizer_object=made, **_names()))

    def __len__(self) -> int:
        return len(self.tokenizer)

    def __call__(self, texts: Sequence[str], max_length: int = LONGEST) -> list[Tensor]:
        """Ids of each text with ``BEGIN`` and ``END`` around it, (t,) with t up to max_length + 1.

        What is too long is cut, and still ended: a decoder that never saw an end would not stop.
        """
        if not texts:
            return []
        found = self.tokenizer([clean(t) for t in texts], add_special_tokens=False)["input_ids"]
        return [
            torch.tensor([BEGIN, *ids[: max_length - 1], END], dtype=torch.long) for ids in found
        ]

    def words_of(self, text: str) -> Ints:
        """The different ids of a text, ascending, without its beginning and end."""
        ids = self.tokenizer(clean(text), add_special_tokens=False)["input_ids"]
        return np.unique(np.array(ids, np.int64))

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """The text that these ids write."""
        plain: str = self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return plain.removeprefix(" ")

    def pieces(self) -> list[str]:
        """What each token writes, by its id; empty for the special ones and for single bytes."""
        written = [self.tokenizer.decode([i]) for i in range(len(self))]
        return [
            "" if i <= END or "\N{REPLACEMENT CHARACTER}" in text else text.strip()
            for i, text in enumerate(written)
        ]

    def save(self, folder: Path) -> None:
        """The tokenizer's files, as transformers keeps them, in a folder of their own."""
        with silence_transformers():
            self.tokenizer.save_pretrained(folder / FOLDER)

    @classmethod
    def load(cls, folder: Path) -> WordVocabulary:
        """The inverse of :meth:`save`.

        Raises:
            DataError: the files are missing or damaged.
        """
        try:
            with silence_transformers():
                found = PreTrainedTokenizerFast.from_pretrained(
                    folder / FOLDER, local_files_only=True
                )
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder / FOLDER} is missing or damaged ({error}). Fit the run again."
            ) from error
        return cls(found)


def _names() -> dict[str, str]:
    return {"pad_token": SPECIAL[PAD], "bos_token": SPECIAL[BEGIN], "eos_token": SPECIAL[END]}
