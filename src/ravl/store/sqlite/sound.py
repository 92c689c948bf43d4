"""Stored vectors are used only if they are sound: whole, finite, and of length 1.

A file of somebody else can hold a vector of length 50, which would be the best hit of every search,
or one that is not a number. Every vector that is read from a memory passes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl.errors import MemoryFileError
from ravl.store.space import Kind
from ravl.untrusted import ADVICE

STORED = np.dtype("<f2")  # on disk; halves the file, and moves a cosine by less than 0.001
TOLERANCE = 0.02  # of a vector's length; rounding to float16 changes it by less than 0.002
NAMES: dict[Kind, str] = {
    "vectors": "vectors of pictures",
    "text_vectors": "vectors of texts",
    "features": "features of pictures",
}


def matrix(blobs: Sequence[object], kind: Kind, width: int, path: Path) -> NDArray[np.float16]:
    """Stored vectors as a matrix (n, width), float16.

    Args:
        blobs: of one vector each, as they are stored.
        kind: of vectors.
        width: numbers of one vector.
        path: of the memory, for the error.

    Raises:
        MemoryFileError: some of them are not sound; says how many.
    """
    whole, bad = _split(blobs, kind, width)
    if bad:
        raise MemoryFileError(f"{path} cannot be used: {damage(bad, kind)} {ADVICE}")
    return whole


def count_unsound(blobs: Sequence[object], kind: Kind, width: int) -> int:
    """How many stored vectors are not sound; arguments as of :func:`matrix`."""
    return _split(blobs, kind, width)[1]


def _split(blobs: Sequence[object], kind: Kind, width: int) -> tuple[NDArray[np.float16], int]:
    """Vectors that have the right size (n, width), and how many are not sound."""
    size = width * STORED.itemsize
    whole = [blob for blob in blobs if isinstance(blob, bytes) and len(blob) == size]
    found = np.frombuffer(b"".join(whole), STORED).reshape(len(whole), width)
    bad = len(blobs) - len(whole) + int(np.count_nonzero(~is_sound(found, kind)))
    return found.astype(np.float16, copy=False), bad


def is_sound(vectors: NDArray[np.floating], kind: Kind) -> NDArray[np.bool_]:
    """Which rows of (n, d) are finite and, for vectors, of length 1; also those of zeros: (n,)."""
    if kind == "features":
        finite: NDArray[np.bool_] = np.isfinite(vectors).all(1)
        return finite
    wide = vectors.astype(np.float32)
    lengths = np.einsum("nd,nd->n", wide, wide)  # not a number if the vector is not
    near: NDArray[np.bool_] = (abs(lengths - 1) <= 2 * TOLERANCE) | (lengths == 0)
    return near


def damage(bad: int, kind: Kind) -> str:
    """What is wrong, as the end of a sentence."""
    rule = "finite" if kind == "features" else "finite and of length 1"
    return f"{bad:,} {NAMES[kind]} are not {rule}."
