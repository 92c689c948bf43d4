"""The builtin encoder's learned part: a linear guess at the text that would describe a picture.

ConSE places a picture by ImageNet's class names, and so knows little of what no photograph of that
set shows: drawings, icons, symbols. The guess is a ridge regression from picture features to text
vectors, as in DeViSE (Frome et al. 2013), learned from free drawings with their titles and keywords
and from the classes' own names. README.md beside this file says from which; scripts/train_space.py
makes the weights; benchmarks/results/space.md has what it is worth.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from ravl.encoders.base import Array, normalise

__all__ = ["WEIGHTS", "guess"]

WEIGHTS = "space.safetensors"


def guess(features: Array) -> Array:
    """Directions in MiniLM's centred text space in which pictures should lie.

    Args:
        features: of EfficientNet-Lite0, pooled, at least 0, (n, 1280).

    Returns:
        L2-normalised vectors, (n, 384). The mean of them and of ConSE's places a picture better
        than either.
    """
    weight, bias = _weights()
    # Features after a ReLU have long tails, which a square root tames.
    return normalise(np.sqrt(np.maximum(features, 0)) @ weight.T + bias)


@cache
def _weights() -> tuple[Array, Array]:
    """Weight (384, 1280) and bias (384,), kept in float16 and used in float32."""
    from safetensors.numpy import load

    arrays = load((files(__name__) / WEIGHTS).read_bytes())
    return arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
