"""Decoder-only language models such as GPT-2, which complete a text with the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ravl.encoders.towers.freezing import Strategy, parse_strategy
from ravl.errors import EncoderError, QueryError
from ravl.models.generation.base import Candidate, Decoding, GenerationRequest
from ravl.models.generation.decoding import Constrain, Writer, context_limit, line_ends
from ravl.models.generation.escape_markup import special_tokens
from ravl.models.generation.hub import found_folder, load_config, load_network, load_tokenizer
from ravl.models.generation.prefix import PrefixModel, padded_ids
from ravl.models.generation.prompts import completion, fitted
from ravl.models.generation.saving import read_settings, write_settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KIND = "causal"
LONGEST = 40  # tokens of a text, where a Decoding does not say


class CausalGenerator:
    """A decoder-only language model of the hub or a folder.

    It writes one line. Without ``features`` it reads only the evidence, which needs no training.
    With features, the picture becomes a few tokens in front of the text; their projection must be
    trained: train :attr:`network` on batches of :meth:`collate`.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        features: F, of pictures; 0 to read none.
        tokens: P, that a picture becomes.
        strategy: what learns beside the projection: ``head`` for nothing, ``lora``, ``top:N``,
            ``full``.
        smoothing: of the targets.
        evidence: neighbours at most.
        batch: requests at a time.
        constrain: makes logits processors of a Decoding's constraints; None for none.

    Raises:
        EncoderError: the model is not found, not complete, or has no tokenizer.
        DataError: no such strategy.
    """

    def __init__(
        self,
        source: str,
        *,
        features: int = 0,
        tokens: int = 4,
        strategy: str | Strategy = "head",
        smoothing: float = 0.0,
        evidence: int = 4,
        batch: int = 8,
        constrain: Constrain | None = None,
    ) -> None:
        folder = found_folder(source)
        self._source = str(folder) if Path(source).expanduser().is_dir() else source
        self._evidence = evidence
        self.batch = batch
        self.features = features
        self.tokenizer = load_tokenizer(folder)
        language = load_network(folder, _causal_lm())
        self._special = special_tokens(self.tokenizer)
        self._end = _end(self.spec, language, self.tokenizer)
        chosen = parse_strategy(strategy) if isinstance(strategy, str) else strategy
        self.network = PrefixModel(
            language, chosen, features, tokens, self.tokenizer.bos_token_id, smoothing
        )
        self._room = context_limit(load_config(folder), self.tokenizer) - self.network.tokens - 1
        self.writer = Writer(
            self.spec,
            language,
            self.tokenizer,
            min(LONGEST, max(self._room // 2, 1)),
            sorted({self._end, *line_ends(self.tokenizer)}),
            line=True,
            constrain=constrain,
        )

    @property
    def spec(self) -> str:
        """``hf:`` with the name."""
        return f"hf:{self._source}"

    @property
    def evidence(self) -> int:
        """Neighbours that it reads at most."""
        return self._evidence

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, likeliest first; sampled ones are the same in any batch.

        Raises:
            QueryError: constraints that it was loaded without, or more tokens than it has room for.
        """
        how = how or Decoding()
        self.writer.check(how)
        size = 1 if how.do_sample else self.batch
        found: list[list[Candidate]] = []
        for start in range(0, len(requests), size):
            inputs = self._inputs(requests[start : start + size], how)
            found += self.writer.write(inputs, how)
        return found

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request, in pieces.

        Raises:
            QueryError: as when called.
        """
        how = how or Decoding()
        self.writer.check(how)
        return self.writer.stream(self._inputs([request], how), how)

    def prompt(self, request: GenerationRequest, max_new_tokens: int = 0) -> str:
        """The text that is to be completed, cut so that the answer has room behind it.

        Args:
            request: its best evidence items are read.
            max_new_tokens: tokens of the answer; 0 for the usual.

        Raises:
            QueryError: no room, see :func:`ravl.models.generation.prompts.fitted`.
        """
        room = self._room - (max_new_tokens or self.writer.max_new_tokens)
        if room < 1:
            raise QueryError(
                f"{self.spec} has room for {self._room} tokens, prompt and text together; "
                f"{max_new_tokens} are too many for the text."
            )
        request = replace(request, evidence_items=list(request.evidence_items)[: self.evidence])
        cut = fitted(request, lambda r: len(self._ids(completion(r, self._special))), room)
        return completion(cut, self._special)

    def collate(
        self, requests: Sequence[GenerationRequest], targets: Sequence[str]
    ) -> dict[str, Tensor]:
        """A training batch for :attr:`network`: n requests with the texts that answer them."""
        answers = [
            [*self._ids(" " + " ".join(t.split()))[: self.writer.max_new_tokens - 1], self._end]
            for t in targets
        ]
        max_new_tokens = max(map(len, answers))
        prompts = [self._ids(self.prompt(r, max_new_tokens)) for r in requests]
        batch = {"prompts": padded_ids(prompts), "targets": padded_ids(answers)}
        if self.network.tokens:
            batch["features"] = torch.from_numpy(np.stack([r.features for r in requests]))
        return {name: value.to(self.network.device) for name, value in batch.items()}

    def save(self, folder: str | Path) -> None:
        """Write what was learned, and the name of the model below it, into a folder."""
        write_settings(
            Path(folder),
            KIND,
            self._source,
            self.network,
            {
                "features": self.features,
                "tokens": self.network.tokens or 4,
                "smoothing": self.network.smoothing,
                "evidence": self._evidence,
            },
        )
        self.network.save_learned(Path(folder))

    @classmethod
    def load(cls, folder: str | Path, **how: object) -> CausalGenerator:
        """What :meth:`save` wrote; other arguments, such as ``constrain``, are passed on.

        Raises:
            EncoderError: files are missing, or the model below is another one than in training.
        """
        settings = read_settings(Path(folder), KIND)
        made = cls(settings.source, strategy=settings.strategy, **{**settings.rest, **how})
        settings.check(made.network)
        made.network.load_learned(Path(folder))
        return made

    def _inputs(self, requests: Sequence[GenerationRequest], how: Decoding) -> dict[str, Tensor]:
        max_new_tokens = how.max_new_tokens or max(self.writer.max_new_tokens, how.min_new_tokens)
        prompts = padded_ids([self._ids(self.prompt(r, max_new_tokens)) for r in requests])
        device, features = self.network.device, None
        if self.network.tokens:
            features = torch.from_numpy(np.stack([r.features for r in requests])).to(device)
        mode = self.network.training
        with torch.inference_mode():
            embeds, mask = self.network.eval().embedded(prompts.to(device), features)
        self.network.train(mode)
        return {"inputs_embeds": embeds, "attention_mask": mask}

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _causal_lm() -> object:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM


def _end(spec: str, language: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that ends a text."""
    known = language.generation_config.eos_token_id
    first = known[0] if isinstance(known, list) and known else known
    found = first if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    if found is None:
        raise EncoderError(f"{spec} has no token that ends a text (eos_token). Use another model.")
    return int(found)
