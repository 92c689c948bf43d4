"""The builtin encoder's learned part: a linear map from a picture to the vector of its text.

ConSE describes a picture by ImageNet's class names, so it is poor on drawings, icons and symbols,
which ImageNet does not contain. The map is a ridge regression from picture features to text
vectors, as in DeViSE (Frome et al. 2013), trained on free drawings with their titles and keywords
and on the names of the classes. README.md beside this file lists the data; scripts/train_space.py
makes the weights; benchmarks/results/space.md has the measurements.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from ravl.encoders.base import Array, normalise

__all__ = ["WEIGHTS", "devise_vectors"]

WEIGHTS = "space.safetensors"


def devise_vectors(features: Array) -> Array:
    """Predicted directions of pictures in MiniLM's centred text space.

    Args:
        features: of EfficientNet-Lite0, pooled, at least 0, (n, 1280).

    Returns:
        L2-normalised vectors, (n, 384). Their mean with ConSE's vectors is better than either.
    """
    weight, bias = _weights()
    # Features after a ReLU have long tails, which a square root shortens.
    return normalise(np.sqrt(np.maximum(features, 0)) @ weight.T + bias)


@cache
def _weights() -> tuple[Array, Array]:
    """Weight (384, 1280) and bias (384,), stored in float16 and used in float32."""
    from safetensors.numpy import load

    arrays = load((files(__name__) / WEIGHTS).read_bytes())
    return arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
