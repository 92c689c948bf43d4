"""Vectors in ravl's cache, by a key of what they were made of.

They can be thrown away at any time, and are then made again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ravl import kept
from ravl.cache import cache_dir
from ravl.encoders.base import Array

QUESTIONS, PICTURES = "questions", "pictures"  # folders in the cache
FOLDERS = (QUESTIONS, PICTURES)
FEW = 64  # vectors that are made again rather than written to a file
KEPT = 200_000  # vectors in a file; then it begins anew
_known: dict[Path, dict[bytes, Array]] = {}
_locks = {folder: threading.Lock() for folder in FOLDERS}  # pictures take long, texts do not


def kept_vectors(
    folder: str, name: str, contents: Sequence[bytes], make: Callable[[list[int]], Array]
) -> Array:
    """Vectors as they were kept, or made now, (n, D) float32.

    Args:
        folder: one of ``FOLDERS``.
        name: of the file; another one for each network.
        contents: of which the vectors are made, n of them.
        make: gives the vectors (m, D) of some positions. A vector of zeros is not kept: what it
            is made of could not be read.
    """
    file = cache_dir(folder) / f"{name}.npz"
    keys = [hashlib.blake2b(content, digest_size=16).digest() for content in contents]
    with _locks[folder]:
        if file not in _known:
            _known[file] = _read(file)
        known = _known[file]
        new = {key: i for i, key in enumerate(keys) if key not in known}
        if len(known) + len(new) > KEPT:
            known.clear()
            new = {key: i for i, key in enumerate(keys)}
        made = make(list(new.values())).astype(np.float16)
        fresh = dict(zip(new, made, strict=True))
        found = [fresh[key] if key in fresh else known[key] for key in keys]
        known.update({key: vector for key, vector in fresh.items() if vector.any()})
        if len(new) > FEW:
            _write(file, known)
    if not found:
        return np.zeros((0, *made.shape[1:]), np.float32)
    return np.stack(found).astype(np.float32)


def throw_away() -> None:
    """Delete all kept vectors, in the cache and in this process."""
    for folder in FOLDERS:
        with _locks[folder]:
            for file in [file for file in _known if file.parent.name == folder]:
                del _known[file]
            for file in cache_dir(folder).glob("*"):
                file.unlink(missing_ok=True)


def _read(file: Path) -> dict[bytes, Array]:
    found = kept.read(file)
    if found is None or found.arrays.keys() != {"keys", "vectors"}:
        return {}
    keys, vectors = found.arrays["keys"], found.arrays["vectors"]
    return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}


def _write(file: Path, known: dict[bytes, Array]) -> None:
    if known:
        keys = np.array([np.frombuffer(key, np.uint8) for key in known])
        arrays = {"keys": keys, "vectors": np.stack(list(known.values()))}
        kept.write(file, kept.Fitted(arrays, {}))
