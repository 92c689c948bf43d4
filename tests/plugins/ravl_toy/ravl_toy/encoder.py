"""An encoder of mean colours, which knows the words red, green and blue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ravl.encoders.base import Array, Encoder, normalise

SIDE = 16  # pixels of a prepared picture
COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class ToyEncoder(Encoder):
    """Mean colours of a grid of cells.

    Args:
        cells: on each side of the grid, in digits: what stands behind ``toy:``.
    """

    picture_size = SIDE
    batch_size = 5

    def __init__(self, cells: str = "4") -> None:
        self._cells = int(cells)
        self.spec = f"toy:{self._cells}"
        self.feature_dimension = 3 * self._cells**2
        self.dimension = self.feature_dimension + 1  # the last one keeps black from being zero

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> (3, 16, 16), 0 to 1."""
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        pixels: Array = np.asarray(small).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        return pixels

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n) -> mean colours (n, cells * cells, 3)."""
        n, cells, edge = len(prepared), self._cells, SIDE // self._cells
        parts = np.asarray(prepared, np.float64).reshape(n, 3, cells, edge, cells, edge)
        means: Array = parts.mean(axis=(3, 5)).astype(np.float32)
        return means.reshape(n, 3, cells * cells).transpose(0, 2, 1)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n) -> mean colours in one line (n, cells * cells * 3)."""
        return self.patch_features(prepared).reshape(len(prepared), self.feature_dimension)

    def project(self, features: Array) -> Array:
        """Mean colours -> unit vectors (n, dimension)."""
        return normalise(np.hstack([features, np.full((len(features), 1), 0.1, np.float32)]))

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> unit vectors (n, dimension): the mean colour of the words in every cell."""
        colours = np.array([_colour(text) for text in texts], np.float32).reshape(len(texts), 3)
        return self.project(np.tile(colours, (1, self._cells**2)))


def _colour(text: str) -> tuple[float, ...]:
    found = [COLOURS.get(word) or _grey(word) for word in text.split() or [""]]
    return tuple(sum(values) / len(found) for values in zip(*found, strict=True))


def _grey(word: str) -> tuple[float, float, float]:
    """A dark colour that differs from word to word."""
    digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
    return digest[0] / 1000, digest[1] / 1000, digest[2] / 1000
