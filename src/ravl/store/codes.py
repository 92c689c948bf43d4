"""Vectors in one byte per number: a first look at many, whose error has a known bound.

A code is the vector divided by its largest number and rounded to 255 steps. The dot product of a
query with it differs from that with the vector by at most the query's length times the length of
what was rounded away (Cauchy-Schwarz). So the codes say which vectors cannot be among the best, and
the few that are left are compared as they are: the answer is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array

STEPS = 127
AT_ONCE = 512  # codes that are widened together: as float32 they fit a core's cache

Codes = NDArray[np.void]
"""(n,) records of :func:`code_type`."""


def code_type(dimension: int) -> np.dtype[Any]:
    """A vector's numbers (d,) in bytes, what to multiply them by, and the bound of the error."""
    return np.dtype([("scale", "<f4"), ("error", "<f4"), ("numbers", "i1", (dimension,))])


def encode(vectors: NDArray[np.floating]) -> Codes:
    """Codes (n,) of vectors (n, d)."""
    count, dimension = vectors.shape
    codes = np.empty(count, code_type(dimension))
    for start in range(0, count, AT_ONCE):
        some = vectors[start : start + AT_ONCE].astype(np.float32)
        part = codes[start : start + AT_ONCE]
        scale = np.abs(some).max(axis=1, initial=0.0) / STEPS
        length = np.linalg.norm(some, axis=1)
        rounded = np.rint(some / np.where(scale > 0, scale, 1)[:, None])
        part["scale"], part["numbers"] = scale, rounded
        some -= scale[:, None] * rounded
        # The second term bounds what a sum of d products loses in float32.
        rounding = dimension * np.finfo(np.float32).eps * length
        part["error"] = np.linalg.norm(some, axis=1) * 1.001 + rounding
    return codes


def dot(codes: Codes, queries: Array) -> Array:
    """About the dot products of queries (q, d) with the vectors of codes (n,), (q, n)."""
    numbers = codes["numbers"]
    wide = np.empty((min(AT_ONCE, len(codes)), numbers.shape[1]), np.float32)
    found = np.empty((len(queries), len(codes)), np.float32)
    for start in range(0, len(codes), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        np.copyto(wide[: len(some)], some)
        found[:, start : start + AT_ONCE] = queries @ wide[: len(some)].T
    found *= codes["scale"]
    return found
