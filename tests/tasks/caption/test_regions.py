from __future__ import annotations

import numpy as np
import pytest

from ravl.models.linear import Standardizer
from ravl.tasks.caption.regions import Regions, look_closely, pooled
from tests.helpers import ColourEncoder, draw


def test_a_square_grid_is_pooled_by_place() -> None:
    grid = np.arange(16, dtype=np.float32).reshape(1, 16, 1)  # 4 x 4, row by row
    assert pooled(grid, 2)[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pooled(grid, 1)[0, 0, 0] == grid.mean()
    assert pooled(grid, 4)[0, :, 0].tolist() == list(range(16))


def test_uneven_parts_hold_all_of_it() -> None:
    grid = np.ones((2, 49, 3), np.float32)
    assert pooled(grid, 3).shape == (2, 9, 3)
    assert pooled(grid, 3).min() == 1


@pytest.mark.parametrize("patches", [1, 3, 5, 10])
def test_other_grids_are_cut_into_runs(patches: int) -> None:
    grid = np.random.default_rng(0).normal(size=(2, patches, 3)).astype(np.float32)
    found = pooled(grid, 3)
    assert found.shape == (2, 9, 3)
    assert np.isfinite(found).all()


def test_pictures_are_looked_at_in_batches() -> None:
    encoder = ColourEncoder()
    pictures = [draw(i, "red") for i in range(11)]
    found = look_closely(encoder, pictures, 2)
    assert found.shape[:2] == (11, 4)
    alone = look_closely(encoder, pictures[3:4], 2)
    assert np.allclose(found[3], alone[0], atol=1e-6)
    assert len(look_closely(encoder, [], 2)) == 0


def test_regions_are_standardised() -> None:
    encoder = ColourEncoder()
    pictures = [draw(i, c) for i, c in enumerate(("red", "blue", "green", "white"))]
    raw = look_closely(encoder, pictures, 2)
    regions = Regions(2, Standardizer.of(raw.reshape(-1, raw.shape[2])))
    found = regions(encoder, pictures)
    assert regions.count == 4
    assert np.abs(found.mean((0, 1))).max() < 1e-5
