"""The base encoder during a fit, with the texts that it has read already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders.base import Array, Encoder
from ravl.files.whole_file import whole_file
from ravl.memory import Memory
from ravl.progress import progress_bar

BLOCK = 1024  # texts between two steps of the progress bar
SAVED = 16  # blocks between two saves


class KnownTexts(Encoder):
    """Another encoder that reads no text twice: training, the report and re-embedding share them.

    Args:
        encoder: that does the work.
        wide: texts are read with their wide features.
    """

    def __init__(self, encoder: Encoder, wide: bool = False) -> None:
        self.base = encoder
        self.wide = wide
        self._read = encoder.wide_texts if wide else encoder.embed_texts
        self._known: dict[str, Array] = {}
        self.spec = encoder.spec
        self.dimension = encoder.dimension
        self.feature_dimension = encoder.feature_dimension
        self.picture_size = encoder.picture_size
        self.batch_size = encoder.batch_size
        self.wide_dimension = encoder.wide_dimension
        self.wide_text_dimension = encoder.wide_text_dimension

    def recall(self, memory: Memory) -> None:
        """Take over the vectors of a memory's texts, which this encoder has made.

        Wide features are not stored: with them, every text is read anew.
        """
        if self.wide:
            return
        vectors = memory.vectors("text_vectors")
        matrix = vectors.matrix
        for row in memory.rows():
            start = int(np.searchsorted(vectors.keys, row.number << vectors.bits))
            keys = (row.number << vectors.bits) + np.arange(len(row.texts))
            # A row that changed since the vectors were read is left out.
            if np.array_equal(vectors.keys[start : start + len(keys)], keys):
                found = matrix[start : start + len(keys)].astype(np.float32)
                self._known.update(zip(row.texts, found, strict=True))

    def learn(self, texts: Sequence[str], file: Path, show: bool | None) -> Array:
        """Vectors (m, d) of different texts, with their wide features if these are read.

        They are kept in a file, so that a new start goes on there.
        """
        new = [text for text in texts if text not in self._known]
        # Which are new depends on what was recalled: after re-embedding, that is nothing.
        digest = hashlib.sha256(json.dumps(new).encode()).hexdigest()[:12]
        file = file.with_stem(f"{file.stem}-{digest}")
        vectors = np.zeros((len(new), self._width), np.float32)
        done = 0
        if file.exists():
            kept = np.load(file, allow_pickle=False)
            if kept.shape[1:] == vectors.shape[1:] and len(kept) <= len(vectors):
                vectors[: len(kept)] = kept
                done = len(kept)
        with progress_bar("Reading texts", "texts", show) as advance:
            advance(done, len(new))
            for count, start in enumerate(range(done, len(new), BLOCK), 1):
                block = self._read(new[start : start + BLOCK])
                vectors[start : start + BLOCK] = block
                if count % SAVED == 0:
                    _save(file, vectors[: start + len(block)])
                advance(len(block), len(new))
        if done < len(new):
            _save(file, vectors)
        self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> (n, d); only those that are new cost anything."""
        return self._texts(texts)[:, : self.dimension]

    def wide_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> (n, d + wide); only those that are new cost anything."""
        return self._texts(texts) if self.wide else self.base.wide_texts(texts)

    @property
    def _width(self) -> int:
        return self.dimension + (self.wide_text_dimension if self.wide else 0)

    def _texts(self, texts: Sequence[str]) -> Array:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(new, self._read(new), strict=True)) if new else {}
        found = [fresh[t] if t in fresh else self._known[t] for t in texts]
        return np.stack(found) if found else np.zeros((0, self._width), np.float32)

    def prepare(self, picture: Image.Image) -> Array:
        """As the encoder does."""
        return self.base.prepare(picture)

    def features(self, prepared: Sequence[Array]) -> Array:
        """As the encoder does."""
        return self.base.features(prepared)

    def wide_features(self, prepared: Sequence[Array]) -> Array:
        """As the encoder does."""
        return self.base.wide_features(prepared)

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """As the encoder does."""
        return self.base.patch_features(prepared)

    def project(self, features: Array) -> Array:
        """As the encoder does."""
        return self.base.project(features)

    def supports_language(self, text: str) -> bool:
        """As the encoder does."""
        return self.base.supports_language(text)


def _save(file: Path, vectors: Array) -> None:
    with whole_file(file) as half:
        np.save(half, vectors, allow_pickle=False)
