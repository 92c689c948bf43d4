"""The embedded generator: reads picture, evidence and words with the fusion encoder, and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import EncoderDecoderModel
from transformers.modeling_outputs import BaseModelOutput

from ravl.models.batch import Batch
from ravl.models.generation.base import Candidate, Decoding, GenerationRequest
from ravl.models.generation.decoder import copy_logits
from ravl.models.generation.decoding import Constrain, Writer
from ravl.models.generation.network import GeneratorModel
from ravl.models.generation.reading import (
    READ,
    CopyPrior,
    neighbours_of,
    pictures_of,
    regions_of,
    word_lines,
    words_of,
)
from ravl.models.generation.vocabulary import BEGIN, END, WordVocabulary
from ravl.models.silence_transformers import silence_transformers
from ravl.models.tokenizer import WordPieceTokenizer

__all__ = ["READ", "FusedGenerator", "read_words"]

BATCH = 32  # requests that are read together


class FusedGenerator:
    """Writes texts about pictures with a :class:`GeneratorModel`.

    It reads the vectors of evidence that has a picture. Evidence without one is a passage, whose
    words it reads behind the question's. Words that many neighbours' texts share get a higher
    probability.

    Args:
        model: whose device is used.
        vocabulary: that it writes with.
        words: that its language model reads with.
        max_new_tokens: tokens of a text, where a Decoding does not say.
        constrain: see :class:`Writer`.
    """

    spec = "fused"

    def __init__(
        self,
        model: GeneratorModel,
        vocabulary: WordVocabulary,
        words: WordPieceTokenizer,
        max_new_tokens: int = 40,
        constrain: Constrain | None = None,
    ) -> None:
        self.model: Any = model.eval()  # type: ignore[no-untyped-call]
        self.vocabulary = vocabulary
        self.words = words
        self.max_new_tokens = max_new_tokens
        self.constrain = constrain
        self._copy_prior = CopyPrior(vocabulary.words_of, len(vocabulary))

    @property
    def evidence(self) -> int:
        """Neighbours that it reads at most."""
        return int(self.model.encoder.config.evidence)

    @property
    def regions(self) -> int:
        """Parts of a picture that it reads one by one."""
        return int(self.model.encoder.config.regions)

    @property
    def device(self) -> torch.device:
        """Where it works."""
        found: torch.device = self.model.device
        return found

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, likeliest first; sampled ones are the same in any batch.

        Raises:
            QueryError: constraints that it was made without.
        """
        how = how or Decoding()
        self.writer.check(how)
        size = 1 if how.do_sample else BATCH
        found: list[list[Candidate]] = []
        for start in range(0, len(requests), size):
            found += self.writer.write(self._inputs(requests[start : start + size]), how)
        return found

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request, in pieces."""
        how = how or Decoding()
        self.writer.check(how)
        return self.writer.stream(self._inputs([request]), how)

    @torch.inference_mode()
    def log_probabilities(
        self, requests: Sequence[GenerationRequest], texts: Sequence[Sequence[str]]
    ) -> list[list[Candidate]]:
        """Given texts of each request as candidates, in their order."""
        found: list[list[Candidate]] = []
        for start in range(0, len(requests), BATCH):
            some = texts[start : start + BATCH]
            states, there = self.read(requests[start : start + BATCH])
            prior = self.prior(requests[start : start + BATCH])
            flat = [text for its in some for text in its]
            if not flat:
                found += [[] for _ in some]
                continue
            owners = np.repeat(np.arange(len(some)), [len(its) for its in some])
            ids = self.vocabulary(flat, self.max_new_tokens)
            logs: list[float] = []
            for first in range(0, len(flat), 4 * BATCH):
                part = slice(first, first + 4 * BATCH)
                own = torch.from_numpy(owners[part]).to(self.device)
                padded = pad_sequence(ids[part], batch_first=True).to(self.device)
                logs += self.model.log_probabilities(
                    padded, states[own], there[own], prior[own]
                ).tolist()
            given = iter(zip(flat, logs, ids, strict=True))
            found += [
                [Candidate(t, min(p, 0.0), len(i) - 1) for t, p, i in _some(given, len(its))]
                for its in some
            ]
        return found

    def read(self, requests: Sequence[GenerationRequest]) -> tuple[Tensor, Tensor]:
        """States of some requests (b, s, H), and which of them are there (b, s)."""
        self.model.eval()
        neighbours, tokens, regions = self._near(requests), self._tokens(requests), None
        if self.regions:
            size = int(self.model.encoder.config.region_features)
            parts = regions_of(requests, self.regions, size)
            regions = torch.from_numpy(parts).to(self.device)
        found: tuple[Tensor, Tensor] = self.model.encoder.read(
            torch.from_numpy(pictures_of(requests)).to(self.device),
            None if tokens is None else tokens.to(self.device),
            None
            if neighbours is None
            else {n: values.to(self.device) for n, values in neighbours.items()},
            regions,
        )
        return found

    def sample(self, states: Tensor, there: Tensor, prior: Tensor | None, count: int) -> Tensor:
        """Ids (b * count, l) of texts that are drawn from what was read; for training."""
        inputs: Batch = {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states.float()),
            "attention_mask": there.long(),
            "decoder_input_ids": torch.full((len(states), 1), BEGIN, device=self.device),
        }
        if prior is not None:
            inputs["decoder_prior"] = prior.to(self.device)
        how = Decoding(
            do_sample=True, num_return_sequences=count, max_new_tokens=self.max_new_tokens
        )
        found: Tensor = self.writer.model.generate(
            **inputs, generation_config=self.writer.settings(how)
        ).sequences
        return found

    def prior(self, requests: Sequence[GenerationRequest]) -> Tensor:
        """How loud each word is, (b, W); see :class:`Decoder`."""
        return copy_logits(torch.from_numpy(self._copy_prior(requests)).to(self.device))

    @cached_property
    def writer(self) -> Writer:
        """That runs ``generate``."""
        both = EncoderDecoderModel(encoder=self.model.encoder.language, decoder=self.model.decoder)
        return Writer(
            self.spec,
            both.eval(),  # type: ignore[no-untyped-call]
            self.vocabulary.tokenizer,
            self.max_new_tokens,
            [END],
            constrain=self.constrain,
        )

    def save(self, folder: Path) -> None:
        """Weights, vocabulary and tokenizer, as transformers keeps them."""
        with silence_transformers():
            self.model.save_pretrained(folder)
        self.vocabulary.save(folder)
        self.words.save(folder)

    @classmethod
    def load(
        cls, folder: Path, max_new_tokens: int, constrain: Constrain | None = None
    ) -> FusedGenerator:
        """The inverse of :meth:`save`."""
        with silence_transformers():
            model: Any = GeneratorModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True
            )
        if torch.cuda.is_available():
            model.to("cuda")
        words = WordPieceTokenizer.load(folder, READ)
        return cls(model, WordVocabulary.load(folder), words, max_new_tokens, constrain)

    def _inputs(self, requests: Sequence[GenerationRequest]) -> Batch:
        with torch.inference_mode():
            states, there = self.read(requests)
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
            "attention_mask": there.long(),
            "decoder_input_ids": torch.full((len(requests), 1), BEGIN, device=self.device),
            "decoder_prior": self.prior(requests),
        }

    def _near(self, requests: Sequence[GenerationRequest]) -> dict[str, Tensor] | None:
        """The neighbours as :meth:`FusionEncoder.read` takes them; None for a model without."""
        if not self.evidence:
            return None
        config = self.model.encoder.config
        arrays = neighbours_of(requests, self.evidence, config.features, config.vectors)
        return {name: torch.from_numpy(values) for name, values in arrays.items()}

    def _tokens(self, requests: Sequence[GenerationRequest]) -> Tensor | None:
        """Word pieces of questions and passages (b, t); None if there is nothing to read."""
        found = words_of(self.words, requests)
        return None if found is None else torch.from_numpy(found)


def read_words(
    words: WordPieceTokenizer, questions: Sequence[str], passages: Sequence[Sequence[str]]
) -> Tensor:
    """The same as :func:`ravl.models.generation.reading.word_lines`, as a tensor."""
    return torch.from_numpy(word_lines(words, questions, passages))


def _some(iterator: Iterator[Any], count: int) -> list[Any]:
    return [next(iterator) for _ in range(count)]
