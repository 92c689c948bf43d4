"""The fine-tuned vision tower of an export, in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.runtime.names import VISION
from ravl.runtime.sessions import Session

BATCH = 8  # pictures per batch


class OnnxTower:
    """:class:`ravl.encoders.towers.vision.VisionTower` for inference.

    Args:
        folder: the folder of its file.
        encoder: the encoder that it was tuned from; it prepares the pictures.
    """

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self._session = Session(folder / f"{VISION}.onnx")
        self._encoder = encoder

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> the network's input (3, H, W), like the encoder."""
        return self._encoder.prepare(picture)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> pooled features (n, F) of the tuned network."""
        parts = [np.zeros((0, self._encoder.feature_dimension), np.float32)]
        for i in range(0, len(prepared), BATCH):
            parts += self._session(pictures=np.stack(prepared[i : i + BATCH]))
        return np.concatenate(parts)
