"""The text networks of encoders as torch modules, with their layers in a row."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ravl.encoders.base import Encoder
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.builtin_parts import MAX_TOKENS, minilm_folder
from ravl.errors import EncoderError

# trained together with the top layers
ABOVE = ("text_projection", "final_layer_norm", "ln_final", "head")

Tokens = dict[str, Tensor]


class TextNetwork(nn.Module):
    """Token ids to pooled vectors.

    Forward takes the result of :meth:`tokens`, (n, t) each, and returns (n, D), not normalised.
    """

    layers: Sequence[nn.Module]
    above: Sequence[nn.Module]

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Texts (n) as padded tensors (n, t); long texts are cut at the encoder's limit."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> TextNetwork:  # noqa: ARG002
        """Stay in inference mode: no dropout."""
        return super().train(False)


def text_network(encoder: Encoder) -> TextNetwork:
    """A copy of an encoder's text network in float32 and eval mode.

    Raises:
        EncoderError: the encoder has no trainable text network.
    """
    from ravl.encoders.hf import HFEncoder

    if encoder.spec == BuiltinEncoder.spec:
        return MeanPooledBert().eval()
    if isinstance(encoder, HFEncoder):
        return DualText(encoder).eval()
    raise EncoderError(
        f"The encoder {encoder.spec} has no trainable text network. Leave the texts "
        "frozen (--tune-text head), or use the builtin encoder or one of the CLIP or SigLIP "
        "families."
    )


class MeanPooledBert(TextNetwork):
    """The text network of the builtin encoder: MiniLM with mean pooling."""

    def __init__(self) -> None:
        super().__init__()
        from tokenizers import Tokenizer
        from transformers import BertModel

        from ravl.encoders.hf_loading import quiet

        folder = minilm_folder()
        bert: Any = BertModel
        with quiet():
            self.bert = bert.from_pretrained(
                folder,
                add_pooling_layer=False,
                attn_implementation="sdpa",
                use_safetensors=True,
                local_files_only=True,
            )
        self.layers, self.above = list(self.bert.encoder.layer), []
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """The same tokens as the encoder's."""
        # The tokenizer fails on a lone surrogate.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        made = self._tokenizer.encode_batch(clean)
        return {
            "input_ids": torch.tensor([t.ids for t in made]),
            "attention_mask": torch.tensor([t.attention_mask for t in made]),
        }

    def forward(self, **tokens: Tensor) -> Tensor:
        """(n, t) -> (n, 384)."""
        hidden = self.bert(**tokens).last_hidden_state  # (n, t, 384)
        weight = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        pooled: Tensor = (hidden * weight).sum(1) / weight.sum(1)
        return pooled


class DualText(TextNetwork):
    """The text side of a dual encoder of the Hugging Face hub."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.model = deepcopy(encoder.model)
        for name in ("vision_model", "visual_projection"):
            if hasattr(self.model, name):
                setattr(self.model, name, None)  # would need memory, and is never used
        self._tokens = encoder.tokens
        rows: list[list[nn.Module]] = [
            list(module)
            for name, module in self.model.named_modules()
            if "text" in name and isinstance(module, nn.ModuleList)
        ]
        if not rows:
            raise EncoderError(
                f"The text network of {encoder.spec} cannot be split into layers. Leave the texts "
                "frozen (--tune-text head)."
            )
        self.layers = max(rows, key=len)
        self.above = [
            module
            for name, module in self.model.named_modules()
            if name.split(".")[-1] in ABOVE and ("text" in name)
        ]

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """The same tokens as the encoder's."""
        found: Tokens = self._tokens(texts)
        return found

    def forward(self, **tokens: Tensor) -> Tensor:
        """(n, t) -> (n, D)."""
        found = self.model.get_text_features(**tokens)
        pooled: Tensor = found if isinstance(found, Tensor) else found.pooler_output
        return pooled
