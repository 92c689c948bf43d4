"""Vectors of questions and passages by the base encoder; each text is read once.

The memory keeps vectors of captions only. Those of questions are kept in ravl's cache, by what the
encoder computes and by the text, so that they can be thrown away at any time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl.cache import cache_dir
from ravl.encoders.base import Array, Encoder
from ravl.files.whole_file import whole_file
from ravl.memory import Memory
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.words import word_vectors

FEW = 64  # texts that are read again rather than written to a file
KEPT = 200_000  # texts in a file; then it begins anew
_known: dict[str, dict[bytes, Array]] = {}
_lock = threading.Lock()


def question_vectors(memory: Memory, texts: Sequence[str]) -> Array:
    """Vectors of texts, (n, D), L2-normalised; zeros where the language is not read."""
    base = base_of(memory.encoder)
    found = kept_vectors(base, texts)
    found[[not base.supports_language(text) for text in texts]] = 0
    return found


def question_features(memory: Memory, texts: Sequence[str], words: int) -> Array:
    """What keys and models see of questions: their vectors and words, (n, D + words).

    Args:
        memory: whose base encoder reads them.
        texts: n questions.
        words: columns of :func:`ravl.tasks.ask.words.word_vectors`, 0 for none.
    """
    vectors = question_vectors(memory, texts)
    return np.hstack([vectors, word_vectors(texts, words)]) if words else vectors


def kept_vectors(base: Encoder, texts: Sequence[str]) -> Array:
    """Vectors of texts, (n, D), as they were kept, or made now."""
    name = base.fingerprint.digest
    keys = [hashlib.blake2b(t.encode("utf-8", "replace"), digest_size=16).digest() for t in texts]
    with _lock:
        if name not in _known:
            _known[name] = _read(_file(name))
        known = _known[name]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if len(known) + len(new) > KEPT:
            known.clear()
            new = dict(zip(keys, texts, strict=True))
        vectors = base.embed_texts(list(new.values()))
        known.update(zip(new, vectors.astype(np.float16), strict=True))
        found = [known[key] for key in keys]
        if len(new) > FEW:
            _write(_file(name), known)
    if not found:
        return np.zeros((0, base.dimension), np.float32)
    return np.stack(found).astype(np.float32)


def _file(name: str) -> Path:
    return cache_dir("questions") / f"{name}.npz"


def _read(file: Path) -> dict[bytes, Array]:
    try:
        with np.load(file) as arrays:
            keys, vectors, digest = (arrays[name] for name in ("keys", "vectors", "digest"))
        if digest.tobytes() != _digest(keys, vectors):
            return {}
        return {key.tobytes(): v for key, v in zip(keys, vectors, strict=True)}
    except Exception:  # none there yet, of an older ravl, or damaged: it is made again
        return {}


def _write(file: Path, known: dict[bytes, Array]) -> None:
    keys = np.array([np.frombuffer(key, np.uint8) for key in known])
    vectors = np.stack(list(known.values()))
    digest = np.frombuffer(_digest(keys, vectors), np.uint8)
    with suppress(OSError), whole_file(file) as half:  # full or read-only: they are made again
        np.savez(half, keys=keys, vectors=vectors, digest=digest)


def _digest(keys: NDArray[np.uint8], vectors: Array) -> bytes:
    """Of what a file holds, so that vectors that were altered are not used."""
    return hashlib.sha256(keys.tobytes() + vectors.tobytes()).digest()
