"""A text tower: a copy of an encoder's text network with trainable top layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ravl.encoders.base import Array, Encoder, Fingerprint
from ravl.encoders.towers.freezing import Strategy, add_adapters, freeze
from ravl.encoders.towers.text_networks import Tokens, text_network
from ravl.encoders.towers.tuned_tower import ATTENTION, Tower
from ravl.encoders.towers.vision_networks import base_of

BATCH = 64  # texts per batch


class TextTower(Tower):
    """A copy of an encoder's text network; some top layers are trainable.

    Dropout stays off, as in inference.

    Args:
        encoder: ``builtin`` (whose MiniLM has 6 layers), one of ``hf:``, or trained heads on these.
        strategy: see :func:`~ravl.encoders.towers.freezing.parse_strategy`; not ``head``.

    Raises:
        DataError: the strategy is unknown, or has more layers than the network.
        EncoderError: the encoder's text network cannot be trained.
    """

    kind = "text"

    def __init__(self, encoder: Encoder, strategy: str | Strategy) -> None:
        super().__init__(base_of(encoder), strategy)
        self.network = text_network(self.encoder)
        self.whole: nn.Module = self.network
        layers = self.network.layers
        depth = freeze(self.network, layers, self.network.above, self.strategy)
        if self.strategy.name == "lora":
            top = {id(m) for layer in layers[len(layers) - depth :] for m in layer.modules()}
            names = [n for n, m in self.network.named_modules() if id(m) in top]
            add_adapters(self.network, [n for n in names if n.endswith(ATTENTION)])
        self.network.eval().to(self.device)

    @classmethod
    def same(cls, known: Fingerprint, now: Fingerprint) -> bool:
        """True if two encoders read texts in the same way."""
        return known.same_text(now)

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Texts (n) as padded tensors (n, t) on the tower's device."""
        return {name: ids.to(self.device) for name, ids in self.network.tokens(texts).items()}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Texts (n) -> vectors (n, D), L2-normalised, with gradients."""
        return F.normalize(self.network(**self.tokens(texts)), dim=-1)

    @torch.inference_mode()
    def features(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, D), L2-normalised; similar lengths share a batch."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = [
            self([texts[i] for i in order[start : start + BATCH]]).cpu().numpy()
            for start in range(0, len(order), BATCH)
        ]
        if not parts:
            return np.zeros((0, 0), np.float32)
        found = np.concatenate(parts)
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors
