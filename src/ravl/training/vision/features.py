"""Features of all pictures by a fine-tuned tower, kept so that a new start goes on there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.encoders.towers.vision import VisionTower
from ravl.files.whole_file import whole_file
from ravl.runs.tuned_features import look


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
    features = look(tower, load, count, tower.encoder.feature_dimension, show)
    with whole_file(file) as half:
        np.save(half, features, allow_pickle=False)
    return features
