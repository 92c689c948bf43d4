"""The vision networks of encoders as a row of steps that can be cut anywhere.

A row is an ``nn.Sequential``: a step from pixels to the first maps, the layers, and a step from the
last maps to features (n, F). Everything is a copy: the encoder itself is never changed.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ravl.encoders.base import Encoder, probe_picture
from ravl.encoders.builtin import BuiltinEncoder
from ravl.errors import EncoderError

SAME = 1e-3  # allowed difference between row and encoder, as a share of the largest feature


def base_of(encoder: Encoder) -> Encoder:
    """The encoder that owns the networks: itself, or the base of trained heads and wrappers."""
    below: Encoder | None = getattr(encoder, "base", None)
    return encoder if below is None else base_of(below)


def vision_network(encoder: Encoder, whole: bool, side: int = 0) -> nn.Sequential:
    """A copy of the encoder's vision network in float32 and eval mode.

    Args:
        encoder: ``builtin``, or one of ``hf:``; trained heads are ignored.
        whole: the network will not be cut, so a single step is enough.
        side: in pixels, to which pictures are enlarged first, for the builtin encoder; 0 means no
            enlargement.

    Returns:
        The row: first step, layers, last step; or a single step if cutting is not possible or not
        needed.

    Raises:
        EncoderError: the encoder has no trainable network, or its network cannot be cut.
    """
    from ravl.encoders.hf import HFEncoder

    base = base_of(encoder)
    if isinstance(base, BuiltinEncoder):
        row = _builtin(side)
    elif side:
        raise EncoderError(
            f"The network of {base.spec} accepts pictures of one size only. Do not set the side "
            "(0)."
        )
    elif isinstance(base, HFEncoder):
        try:
            row = _layered(base.model)
            _check(row, base)
        except Exception as error:  # any exception: the model was not made to be cut
            row = _unlayered(base, whole, error)
    else:
        raise EncoderError(
            f"The encoder {base.spec} has no trainable network. Use the strategy head, "
            "or the builtin encoder or one of the CLIP or SigLIP families."
        )
    return row.eval()


def fuse_norms(frozen: nn.Module) -> None:
    """Fold batch norms of frozen layers into their convolutions, which halves the time."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    from ravl.encoders.efficientnet import ConvNorm

    for module in frozen.modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(module.conv, module.norm).requires_grad_(False)
            module.conv, module.norm = fused, nn.Identity()  # type: ignore[assignment]


def _builtin(side: int) -> nn.Sequential:
    from ravl.encoders.efficientnet import load_pretrained

    network = load_pretrained()
    first: nn.Module = network.stem
    if side:
        enlarged = nn.Upsample((side, side), mode="bilinear", align_corners=False)
        first = nn.Sequential(enlarged, network.stem)
    row = nn.Sequential(first, *network.blocks, _Pooled(network.head))
    # Channels last in memory are twice as fast on a CPU.
    return row.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _layered(model: Any) -> nn.Sequential:
    vision = deepcopy(model.vision_model)
    projection = deepcopy(getattr(model, "visual_projection", None))
    layers = [_Layer(layer) for layer in vision.encoder.layers]
    return nn.Sequential(_Embedded(vision), *layers, _Projected(vision, projection)).eval()


def _unlayered(encoder: Any, whole: bool, error: Exception) -> nn.Sequential:
    """The whole network as one step, for models with other parts than CLIP and SigLIP."""
    row = nn.Sequential(_Whole(deepcopy(encoder.model)))
    try:
        _check(row, encoder)
    except Exception as other:
        raise EncoderError(
            f"The network of {encoder.spec} cannot be trained, because it needs more than pixels. "
            "Use the strategy head."
        ) from other
    if not whole:
        raise EncoderError(
            f"The network of {encoder.spec} cannot be split into layers. Only the strategies head "
            "and full work with it."
        ) from error
    return row


def _check(row: nn.Sequential, encoder: Encoder) -> None:
    """Check that the row computes the same features as the encoder."""
    prepared = encoder.prepare(probe_picture())
    expected = encoder.features([prepared])
    device = next(row.parameters()).device
    with torch.inference_mode():
        found = row(torch.from_numpy(prepared[None]).to(device)).cpu().numpy()
    if (
        found.shape != expected.shape
        or np.abs(found - expected).max() > SAME * np.abs(expected).max()
    ):
        raise EncoderError("The parts of the vision network do not reproduce its features.")


class _Pooled(nn.Module):
    """The last convolution of EfficientNet, and the mean over its grid."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Tensor) -> Tensor:
        features: Tensor = self.head(maps).mean((2, 3))  # (n, 1280)
        return features


class _Embedded(nn.Module):
    """Pixels to the tokens that a transformer's first layer takes."""

    def __init__(self, vision: Any) -> None:
        super().__init__()
        self.embeddings = vision.embeddings
        # CLIP has it, with this spelling
        self.norm = getattr(vision, "pre_layrnorm", nn.Identity())

    def forward(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.embeddings(pixels))  # (n, tokens, width)
        return tokens


class _Layer(nn.Module):
    """A layer of a transformer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Tensor) -> Tensor:
        found: Any = self.layer(tokens, attention_mask=None)
        tokens = found if isinstance(found, Tensor) else found[0]
        return tokens


class _Projected(nn.Module):
    """Tokens to features: the class token as in CLIP, or attention pooling as in SigLIP."""

    def __init__(self, vision: Any, projection: nn.Module | None) -> None:
        super().__init__()
        self.norm = vision.post_layernorm
        self.pool: nn.Module | None = getattr(vision, "head", None)
        self.projection = projection if projection is not None else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        pooled = self.norm(tokens[:, 0]) if self.pool is None else self.pool(self.norm(tokens))
        features: Tensor = self.projection(pooled)  # (n, F)
        return features


class _Whole(nn.Module):
    """The picture tower of a dual encoder as one step."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        if hasattr(model, "text_model"):
            model.text_model = None  # would need memory, and is never used
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.model.get_image_features(pixel_values=pixels)
        features: Tensor = found if isinstance(found, Tensor) else found.pooler_output
        return features
