"""What a live view reads of a store: all of it once, and then what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.store.blocks import SIZE, Blocks, Ints
from ravl.store.contract import Store
from ravl.store.duplicates import compared_up_to


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the memory that a view may be of.

    Args:
        space: of the encoder.
        change: the newest change of a row.
        grouped: the change up to which pictures were compared with each other; near-duplicates are
            noted after the rows, and are no change of their own.
    """

    space: int
    change: int
    grouped: int

    @classmethod
    def of(cls, store: Store) -> Moment:
        """The state that a snapshot of the store sees."""
        space, _, change = store.spaces.state()
        return cls(space, change, compared_up_to(store))


def all_features(store: Store, space: int) -> tuple[Ints, Blocks]:
    """Row numbers (n,), ascending, and features (n, F) as they are stored, float16."""
    keys, parts = [np.zeros(0, np.int64)], []
    for some, features in store.vectors.scan("features", space, SIZE):
        keys.append(some)
        parts.append(features)
    return np.concatenate(keys), Blocks(parts or [np.zeros((0, 0), np.float16)])


def features_of(store: Store, space: int, rows: Iterable[int]) -> dict[int, NDArray[np.floating]]:
    """Features (F,) as they are stored, float16, by row; rows without any are left out."""
    found = store.vectors.read("features", rows, space)
    return {row: features.astype(np.float16) for row, features in found.items()}
