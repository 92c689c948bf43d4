"""Weights of neighbours that know of each other: kernel ridge regression among the nearest.

A vote by similarity counts ten questions that are all alike ten times. Here the weights of the
neighbours are those of the ridge regression that is fitted to these neighbours alone, for each
query, under a kernel that is high where questions *and* pictures are alike. Nothing is kept, so
that an edit of the memory counts at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.datastore import Ints

NEAREST = 64  # neighbours that are weighed; 128 answer DAQUAR's questions no better
SENTENCES = 5.0  # sharpness for sentence vectors; with 3 and with 8 DAQUAR has half a point less
PICTURES = 10.0  # for pictures that are nearly the same, beside the broad part for all others
RIDGE = 1.0  # half the kernel of a question with itself
BLOCK = 64  # queries at once

Blocks = tuple[Array, Array, Array]  # of pictures, sentence vectors and words, unit vectors


def kernel(first: Blocks, second: Blocks) -> Array:
    """The kernel (..., m, n) of questions about pictures with others.

    Args:
        first: their parts, (..., m, d) each; see :data:`Blocks`.
        second: those of the others, (..., n, d) each.
    """
    pictures, sentences, words = (
        a @ np.swapaxes(b, -1, -2) for a, b in zip(first, second, strict=True)
    )
    by_picture = (1 + pictures + np.exp(PICTURES * (pictures - 1))) / 3
    found: Array = (np.exp(SENTENCES * (sentences - 1)) + words) * by_picture
    return found


def ridge_weights(
    keys: Array, positions: Ints, keys_at: Callable[[Ints], Array], parts: Callable[[Array], Blocks]
) -> Array:
    """The weight of each neighbour, (n, k): not negative, 0 after the first ``NEAREST``.

    Args:
        keys: of n queries, (n, d).
        positions: of their neighbours, (n, k), -1 where there is none.
        keys_at: gives the keys of some rows, (..., d).
        parts: splits keys (..., d) into the unit vectors that the kernel compares.
    """
    weights = np.zeros(positions.shape, np.float32)
    near = positions[:, :NEAREST]
    ridge = RIDGE * np.eye(near.shape[1], dtype=np.float32)
    for start in range(0, len(near), BLOCK):
        some = slice(start, start + BLOCK)
        found = (near[some] >= 0).astype(np.float32)
        rows = parts(keys_at(np.maximum(near[some], 0)))
        looked = kernel(parts(keys[some, None]), rows)[:, 0] * found
        among = kernel(rows, rows) * found[:, :, None] * found[:, None, :]
        solved = np.linalg.solve(among + ridge, looked[..., None])[..., 0]
        weights[some, : near.shape[1]] = np.maximum(solved, 0)
    return weights
