"""A memory with a hub in it: a picture that is nearest to most texts and is meant by none."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ravl.data import Example
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from tests.helpers import ColourEncoder

COMMON = normalise(np.random.default_rng(0).normal(size=(1, 48)).astype(np.float32))[0]
HUB = "hub"


class PlantedEncoder(ColourEncoder):
    """Texts share a direction, which pictures lack; each text has one of its own besides."""

    spec = "planted"

    def embed_texts(self, texts: Sequence[str]) -> Array:
        self.read += len(texts)
        meanings = [COMMON + 1.3 * meaning(text) for text in texts]
        vectors = np.stack(meanings) if meanings else np.zeros((0, 48), np.float32)
        return np.roll(normalise(vectors.astype(np.float32)), self.turn, axis=1)


def meaning(text: str) -> Array:
    """What a text means, (48,)."""
    rng = np.random.default_rng(zlib.crc32(text.encode()))
    vector: Array = normalise(rng.normal(size=(1, 48)).astype(np.float32))[0]
    return vector


def picture(vector: Array) -> bytes:
    """The picture, PNG, that :class:`ColourEncoder` sees as this vector (48,)."""
    cells = 0.5 + 0.5 * vector.reshape(3, 4, 4) / np.abs(vector).max()
    pixels = np.repeat(np.repeat(cells, 4, axis=1), 4, axis=2).transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def plant(memory: Memory, count: int = 100) -> None:
    """So many rows ``r0``, ``r1`` ... whose text is ``text 0`` ..., and the hub."""
    pictures = [picture(meaning(f"text {i}") + 1.1 * meaning(f"noise {i}")) for i in range(count)]
    rows = [
        Example(f"r{i}", p, texts=(f"text {i}",), columns={"number": i})
        for i, p in enumerate(pictures)
    ]
    memory.add([*rows, Example(HUB, picture(COMMON), columns={"number": count})])
