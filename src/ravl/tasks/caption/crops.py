"""Looking at all pictures of a fit again, part by part, for a generator that reads regions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ravl.errors import DataError, PictureError
from ravl.files.whole_file import whole_file
from ravl.models.linear import Standardizer
from ravl.progress import progress_bar
from ravl.tasks.caption.dataset import TextFitData, TextSplit
from ravl.tasks.caption.regions import Regions, look_closely

BLOCK = 64  # pictures that are decoded together


def look_closer(data: TextFitData, work: Path, show: bool | None) -> TextFitData:
    """The data with the regions of all pictures; what was looked at before is kept in ``work``.

    Raises:
        DataError: a picture has gone since it was read.
    """
    side = data.settings.regions
    sides = {"train": data.train, "validation": data.validation, "test": data.test}
    work.mkdir(parents=True, exist_ok=True)
    # Several examples may be about one picture, which is looked at once.
    places = {
        name: np.unique(
            [r.number for r in its.examples.rows], return_index=True, return_inverse=True
        )[1:]
        for name, its in sides.items()
    }
    raw = {
        name: _regions(data, its.take(places[name][0]), work / f"regions-{name}.npy", show)
        for name, its in sides.items()
    }
    flat = raw["train"].reshape(-1, raw["train"].shape[2]).astype(np.float32)
    regions = Regions(side, Standardizer.of(flat))
    seen: dict[str, Any] = {
        name: regions.standard(its.astype(np.float32)).astype(np.float16)[places[name][1]]
        for name, its in raw.items()
    }
    made = {name: replace(its, regions=seen[name]) for name, its in sides.items()}
    return replace(
        data,
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        regions=regions,
    )


def _regions(data: TextFitData, side: TextSplit, file: Path, show: bool | None) -> Any:
    """Regions of a split's pictures as the tower has them, (n, s * s, G) in half precision."""
    if file.exists():
        return np.load(file)
    source, rows = side.examples.source, side.examples.rows
    parts = []
    with progress_bar("Looking closer", "pictures", show) as advance:
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            try:
                pictures = [source.picture(row) for row in some]
            except PictureError as error:
                raise DataError(
                    f"A picture of the data has gone since it was read: {error}"
                ) from error
            found = look_closely(data.memory.encoder, pictures, data.settings.regions)
            parts.append(found.astype(np.float16))
            advance(len(some), len(rows), "")
    regions = np.concatenate(parts)
    with whole_file(file) as half:
        np.save(half, regions)
    return regions
