"""The vectors' lines of `scale`: scanning them all, as float16, and in batches.

The vectors are made: clusters of 500, each spread over 64 of 640 dimensions. A real encoder's are
like that, and random ones, of which all are equally far from each other, are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import beside_goal
from ravl.encoders.base import Array, normalise
from ravl.store.blocks import Blocks
from ravl.store.coded_search import coded_top_k
from ravl.store.codes import code_type, encode
from ravl.store.top_k import top_k
from ravl.store.vectors import BLOCK

D, INNER, OF_A_CLUSTER, K = 640, 64, 500, 10
MADE = 16_384  # vectors that are made together
BATCH = 32
REPEAT = 3
TINY = {"REPEAT": 1}

Line = dict[str, object]


class World:
    """Where vectors come from; the same for the same size."""

    def __init__(self, count: int) -> None:
        self._random = np.random.default_rng(0)
        self._inner = self._random.standard_normal((INNER, D), np.float32)
        clusters = max(1, count // OF_A_CLUSTER)
        self._centres = self._random.standard_normal((clusters, D), np.float32)

    def draw(self, count: int) -> Array:
        """Some vectors (count, D)."""
        own = self._random.integers(len(self._centres), size=count)
        spread = self._random.standard_normal((count, INNER), np.float32) @ self._inner
        return normalise(self._centres[own] + 0.1 * spread)

    def fill(self, count: int) -> NDArray[np.float16]:
        """Many vectors (count, D)."""
        found = np.empty((count, D), np.float16)
        for start in range(0, count, MADE):
            stop = min(start + MADE, count)
            found[start:stop] = self.draw(stop - start)
        return found


def measure(_folder: Path, count: int) -> Iterator[Line]:
    """The lines for one size; see ``scale.py``."""
    world = World(count)
    stored = world.fill(count)
    codes = np.empty(count, code_type(D))
    for start in range(0, count, MADE):
        codes[start : start + MADE] = encode(stored[start : start + MADE])
    blocks, coded = Blocks.of(stored, BLOCK), Blocks.of(codes, BLOCK)
    wide = Blocks.of(stored.astype(np.float32), BLOCK)
    for size, what in (1, "one query"), (BATCH, f"{BATCH} queries"):
        asked = [world.draw(size) for _ in range(REPEAT + 1)]
        float32, float16 = seconds_each(
            (
                lambda q: top_k(wide, q, K),
                lambda q: coded_top_k(blocks, coded, q, K),
            ),
            asked,
        )
        yield beside_goal(count, f"scan past 4 GiB over float32, {what}", float16 / float32, "x", 1)


def seconds_each(works: Sequence[Callable[[Array], object]], asked: Sequence[Array]) -> list[float]:
    """Least processor time of each work, on all but the first of what is asked, in turns."""
    times: list[list[float]] = [[] for _ in works]
    for i, queries in enumerate(asked):
        for work, its in zip(works, times, strict=True):
            began = time.process_time()
            work(queries)
            if i:  # the first one warms up
                its.append(time.process_time() - began)
    return [min(its) for its in times]
