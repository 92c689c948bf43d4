"""NaFlex: pictures of any shape as lists of square patches, and back.

SigLIP 2's image processor returns patches, but ravl's encoders prepare whole pictures; both contain
the same numbers in a different order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array


def whole_picture(patches: Array, rows: int, columns: int) -> Array:
    """The first rows x columns of the patches (n, side * side * 3), put together: (3, H, W)."""
    side = round((patches.shape[1] / 3) ** 0.5)
    tiles = patches[: rows * columns].reshape(rows, columns, side, side, 3)
    whole = tiles.transpose(4, 0, 2, 1, 3).reshape(3, rows * side, columns * side)  # (3, H, W)
    return np.ascontiguousarray(whole, np.float32)


def flat_patches(pictures: Sequence[Array], side: int, most: int) -> dict[str, NDArray[np.generic]]:
    """Pictures (n, each (3, H, W)) -> inputs of the model.

    Args:
        pictures: with heights and widths that are multiples of ``side``.
        side: of a patch in pixels.
        most: patches of the largest picture; pictures with fewer patches are padded with zeros.

    Returns:
        ``pixel_values`` (n, most, side * side * 3), ``pixel_attention_mask`` (n, most) and
        ``spatial_shapes`` (n, 2), rows and columns of patches.
    """
    values = np.zeros((len(pictures), most, side * side * 3), np.float32)
    mask = np.zeros((len(pictures), most), np.int64)
    shapes = np.zeros((len(pictures), 2), np.int64)
    for i, picture in enumerate(pictures):
        rows, columns = picture.shape[1] // side, picture.shape[2] // side
        tiles = picture.reshape(3, rows, side, columns, side).transpose(1, 3, 2, 4, 0)
        values[i, : rows * columns] = tiles.reshape(rows * columns, -1)
        mask[i, : rows * columns] = 1
        shapes[i] = rows, columns
    return {"pixel_values": values, "pixel_attention_mask": mask, "spatial_shapes": shapes}
