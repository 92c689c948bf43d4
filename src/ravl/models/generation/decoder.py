"""The fused generator's decoder: a causal BERT with cross-attention and a copy prior.

Words that the neighbours' texts share are added directly to the logits of the output layer (a copy
mechanism, See et al. 2017, over a bag of words). Each step decides how strong this prior is:
content words are copied, and grammar is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertLMHeadModel
from transformers.models.bert.modeling_bert import BertOnlyMLMHead

from ravl.models.generation.reading import FAINT

_prior: ContextVar[Tensor | None] = ContextVar("prior", default=None)


@contextmanager
def add_copy_prior(prior: Tensor | None) -> Iterator[None]:
    """A context in which the output layer uses this prior; one per thread."""
    token = _prior.set(prior)
    try:
        yield
    finally:
        _prior.reset(token)


def copy_logits(shares: Tensor) -> Tensor:
    """Shares of the evidence that use each word, (b, W) from 0 to 1, as a ``prior``: 0 for none."""
    return torch.log1p(shares / FAINT)


class WordHead(BertOnlyMLMHead):
    """The output layer over the words, plus the prior of the evidence's words."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        self.gate = nn.Linear(config.hidden_size, 1)

    def forward(self, sequence_output: Tensor) -> Tensor:
        """Logits (..., W) of states (..., H)."""
        logits: Tensor = super().forward(sequence_output)
        prior = _prior.get()
        if prior is None:
            return logits
        if sequence_output.dim() == 3:  # (b, l, H), as generate gives them
            prior = prior[:, None]
        louder: Tensor = logits + self.gate(sequence_output) * prior
        return louder


class Decoder(BertLMHeadModel):
    """A BERT decoder; ``forward`` has the additional argument ``prior`` (b, W).

    The prior is :func:`copy_logits` of the words in the evidence. ``generate`` of an
    encoder-decoder model hands it on as ``decoder_prior``.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        self.cls = WordHead(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        prior: Tensor | None = None,
        **kwargs: object,
    ) -> Any:
        """BERT's output layer with the prior; the library needs these names."""
        with add_copy_prior(prior):
            return super().forward(
                input_ids,
                attention_mask=attention_mask,
                encoder_hidden_states=encoder_hidden_states,
                encoder_attention_mask=encoder_attention_mask,
                **kwargs,
            )
