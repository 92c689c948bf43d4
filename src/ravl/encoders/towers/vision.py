"""A vision tower: a frozen stem, and a tail with trainable layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ravl.encoders.base import Array, Encoder, Fingerprint
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.towers.freezing import Strategy, add_adapters, freeze
from ravl.encoders.towers.tuned_tower import ATTENTION, Tower
from ravl.encoders.towers.vision_networks import base_of, fuse_norms, vision_network
from ravl.json_types import JsonObject

# pictures per batch of the builtin network; larger maps would be allocated anew each time
BATCH = 2
LARGEST = 65504.0  # of float16

Maps = NDArray[np.float16] | NDArray[np.uint8]


class VisionTower(Tower):
    """A copy of an encoder's vision network; some top layers are trainable.

    The output of the stem is the same in every epoch, so it is computed once per picture and stored
    (:meth:`stem`); a training step runs only the tail. Batch norms always use their pretrained
    statistics, because the statistics of a small batch are too noisy.

    Args:
        encoder: the encoder whose network is copied: ``builtin``, one of ``hf:``, or trained heads
            on these; any encoder for the strategy ``head``, which tunes no layer.
        strategy: see :func:`~ravl.encoders.towers.freezing.parse_strategy`. The builtin encoder has
            16 layers (its blocks) and a last convolution above them, which is trained with them.
        side: in pixels, to which prepared pictures are enlarged first; 0 means no enlargement. The
            builtin network is better at 288 than at 224, its size in training (Touvron et al. 2019,
            "Fixing the train-test resolution discrepancy", https://arxiv.org/abs/1906.06423).

    Raises:
        DataError: the strategy is unknown, or has more layers than the network.
        EncoderError: the encoder's network cannot be trained, cannot be split into layers, or
            accepts only pictures of one size.
    """

    kind = "vision"

    def __init__(self, encoder: Encoder, strategy: str | Strategy, side: int = 0) -> None:
        super().__init__(base_of(encoder), strategy)
        self.side = side
        self.whole: nn.Sequential = nn.Sequential()
        depth = 0
        if self.strategy.name != "head":
            self.whole = vision_network(self.encoder, self.strategy.name == "full", side)
            depth = self._thaw()
        cut = 0 if self.strategy.name == "full" else max(0, len(self.whole) - 1 - depth)
        self._stem = self.whole[:cut]
        fuse_norms(self._stem)
        self.tail: nn.Module = _Tail(self.whole[cut:], *self._levels())
        self.whole.to(self.device)
        self.tail.to(self.device)

    def stem(self, prepared: Sequence[Array]) -> Maps:
        """Prepared pictures (n, each (3, H, W)) -> inputs of the tail, to be stored: (n, ...).

        float16 maps of the frozen layers; the pixels themselves as uint8 for the strategy
        ``full``; the encoder's features (n, F) for ``head``.
        """
        if self.strategy.name == "full":
            low, high = self._levels()
            levels = (np.stack(prepared) - low) / (high - low) * 255
            return levels.round().clip(0, 255).astype(np.uint8)
        if self.strategy.name == "head":
            maps = self.encoder.features(prepared)
        else:
            maps = self._run(self._stem, prepared)
        return maps.clip(-LARGEST, LARGEST).astype(np.float16)

    @property
    def stem_key(self) -> list[str]:
        """What the maps depend on: on what is frozen, not on the weights that learn."""
        return [self.encoder.fingerprint.to_json(), str(self.strategy), str(self.side)]

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> pooled features (n, F) of the tuned network."""
        if not prepared:
            return np.zeros((0, self.encoder.feature_dimension), np.float32)
        if self.strategy.name == "head":
            return self.encoder.features(prepared)
        return self._run(self.whole, prepared)

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> the network's input (3, H, W), like the encoder."""
        return self.encoder.prepare(picture)

    @classmethod
    def same(cls, known: Fingerprint, now: Fingerprint) -> bool:
        """True if two encoders have the same vision network."""
        return known.same_vision(now)

    def options(self) -> JsonObject:
        """The side, if it differs from the encoder's side."""
        return {"side": self.side} if self.side else {}

    # --- inside ----------------------------------------------------------------------------

    def _thaw(self) -> int:
        """Make the strategy's layers trainable; returns their number, counted from the top."""
        steps = list(self.whole)
        # no layers if the network is a single step, which is then tuned as a whole
        layers = steps[1:-1]
        if self.strategy.name == "full":
            self.whole.requires_grad_(True)
            return len(layers)
        depth = freeze(self.whole, layers, steps[-1:], self.strategy)
        if self.strategy.name == "lora":
            add_adapters(self.whole, self._adapted(len(steps) - 1 - depth))
        return depth

    def _adapted(self, first: int) -> list[str]:
        """Names of the modules for adapters, from this step on."""
        builtin = isinstance(self.encoder, BuiltinEncoder)
        return [
            name
            for name, module in self.whole.named_modules()
            if name
            and int(name.split(".")[0]) >= first
            and (_pointwise(module) if builtin else name.endswith(ATTENTION))
        ]

    def _levels(self) -> tuple[Array, Array]:
        """The encoder's input for black and for white, (1, 3, 1, 1) each, for ``full``."""
        if self.strategy.name != "full":
            return np.zeros((1, 3, 1, 1), np.float32), np.ones((1, 3, 1, 1), np.float32)
        plain = (self.prepare(Image.new("RGB", (64, 64), c)) for c in ("black", "white"))
        low, high = (x.mean((1, 2), dtype=np.float32).reshape(1, 3, 1, 1) for x in plain)
        return low, high

    @torch.inference_mode()
    def _run(self, network: nn.Module, prepared: Sequence[Array]) -> Array:
        builtin = isinstance(self.encoder, BuiltinEncoder) and self.device.type == "cpu"
        size, parts = BATCH if builtin else self.encoder.batch_size, []
        for i in range(0, len(prepared), size):
            pictures = torch.from_numpy(np.stack(prepared[i : i + size])).to(self.device)
            parts.append(network(_laid_out(pictures)).cpu().numpy())
        return np.concatenate(parts)


class _Tail(nn.Module):
    """Stored stem outputs (n, ...) -> features (n, F), always in eval mode."""

    low: Tensor
    span: Tensor

    def __init__(self, steps: nn.Module, low: Array, high: Array) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("low", torch.from_numpy(low), persistent=False)
        self.register_buffer("span", torch.from_numpy((high - low) / 255), persistent=False)
        self.train(False)

    def forward(self, maps: Tensor) -> Tensor:
        x = maps.float()
        if maps.dtype == torch.uint8:
            x = x * self.span + self.low
        features: Tensor = self.steps(_laid_out(x))
        return features

    def train(self, mode: bool = True) -> _Tail:  # noqa: ARG002
        """Stay in inference mode: norms and dropouts do not change."""
        return super().train(False)


def _laid_out(x: Tensor) -> Tensor:
    """Pictures with channels last in memory, which is faster for convolutions on a CPU."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def _pointwise(module: object) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
