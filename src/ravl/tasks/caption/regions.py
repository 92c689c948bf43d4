"""Regions of a picture: its feature grid, pooled to a few parts that are read one by one.

The pooled features that a memory keeps say what is in a picture, and hardly where, or how many.
What reads regions has to look at pictures again, which costs what indexing does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from PIL import Image

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.models.linear import Standardizer


@dataclass(frozen=True, eq=False)
class Regions:
    """How a generator looks at regions.

    Args:
        side: s; a picture has s x s of them.
        standard: of their features.
    """

    side: int
    standard: Standardizer

    @property
    def count(self) -> int:
        """R, of a picture."""
        return self.side**2

    def __call__(self, encoder: Encoder, pictures: Sequence[Image.Image]) -> Array:
        """Standardised features of the regions of RGB pictures, (n, R, G)."""
        return self.standard(look_closely(encoder, pictures, self.side)).astype(np.float32)


def look_closely(encoder: Encoder, pictures: Sequence[Image.Image], side: int) -> Array:
    """Features of the regions of RGB pictures as the tower has them, (n, s * s, G)."""
    size = encoder.batch_size
    parts = [
        pooled(encoder.patch_features([encoder.prepare(p) for p in pictures[i : i + size]]), side)
        for i in range(0, len(pictures), size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, side**2, 0), np.float32)


def pooled(grid: Array, side: int) -> Array:
    """A grid of features (n, p, G), row by row, as means over s x s parts of it, (n, s * s, G).

    A grid that is not square is cut into as many runs of its patches. One that is smaller than
    s x s repeats what it has.
    """
    count, patches, width = grid.shape
    edge = isqrt(patches)
    if edge * edge != patches or edge < side:
        ends = np.linspace(0, patches, side**2 + 1).astype(int)
        starts = ends[:-1].clip(max=patches - 1)
        runs = zip(starts.tolist(), np.maximum(ends[1:], starts + 1).tolist(), strict=True)
        return np.stack([grid[:, first:last].mean(1) for first, last in runs], axis=1)
    square = grid.reshape(count, edge, edge, width)
    cuts = np.array_split(np.arange(edge), side)
    found = [square[:, rows][:, :, columns].mean((1, 2)) for rows in cuts for columns in cuts]
    return np.stack(found, axis=1)
