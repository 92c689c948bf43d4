"""Features of all pictures by a fine-tuned tower, kept so that a new start goes on there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.encoders.towers.vision import VisionTower
from ravl.errors import PictureError
from ravl.files.whole_file import whole_file
from ravl.progress import progress_bar

BLOCK = 64  # pictures of a pass


def tuned_features(
    tower: VisionTower,
    load: Callable[[int], Image.Image],
    count: int,
    file: Path,
    show: bool | None,
) -> Array:
    """Features (count, F); zeros for a picture that cannot be read any more.

    Args:
        tower: that looks.
        load: the picture at a position; may raise PictureError.
        count: of pictures.
        file: to keep them in.
        show: a progress bar.
    """
    if file.exists():
        kept: Array = np.load(file, allow_pickle=False)
        if len(kept) == count:
            return kept
    parts: list[Array] = []

    def prepare(i: int) -> Array | None:
        try:
            return tower.prepare(load(i))
        except PictureError:
            return None

    with ThreadPoolExecutor(2, "decode") as pool, progress_bar("Looking", "pictures", show) as bar:
        for start in range(0, count, BLOCK):
            prepared = list(pool.map(prepare, range(start, min(start + BLOCK, count))))
            seen = [p for p in prepared if p is not None]
            found = iter(tower.features(seen)) if seen else iter(())
            width = tower.encoder.feature_dimension
            parts += [np.zeros(width, np.float32) if p is None else next(found) for p in prepared]
            bar(len(prepared), count)
    features = np.stack(parts).astype(np.float32)
    with whole_file(file) as half:
        np.save(half, features, allow_pickle=False)
    return features
