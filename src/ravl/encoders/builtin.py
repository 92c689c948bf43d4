"""The builtin encoder: EfficientNet-Lite0 and MiniLM, joined without pictures of the user.

A vector has two halves. The *semantic* half lives in MiniLM's text space: a picture is the
probability-weighted mean of the ImageNet class names' text vectors (ConSE, Norouzi et al. 2013,
https://arxiv.org/abs/1312.5650), centred by the mean of all classes, averaged with the output of a
small map that was trained on free drawings (:mod:`ravl.encoders.space`). The *visual* half contains
the features along the directions in which the ImageNet classifier separates classes; a text has
zeros there. So texts are compared with pictures in the first half, and pictures with pictures
mostly in the second, which describes the look far better than a thousand names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import Image

from ravl.encoders.base import Array, Encoder, normalise
from ravl.encoders.builtin_parts import MAX_TOKENS, PROJECTION, VISUAL, parts_folder
from ravl.encoders.space import devise_vectors
from ravl.encoders.wide_parts import LAYERS, WIDE, WIDE_VISION, wide_folder
from ravl.threads import onnx_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TEXT_BATCH = 32
LAST_LATIN = "\u024f"  # the end of Latin Extended-B
SEMANTIC = 384  # dimensions of MiniLM's space
# Share of the semantic half in a picture's norm; 0.1 gave the best picture -> picture precision on
# three real datasets, and does not change text -> picture ranks (benchmarks/results/encoders.md).
SEMANTIC_SHARE = 0.1


class BuiltinEncoder(Encoder):
    """Works without a download; use ``hf:`` with CLIP or SigLIP if a hub can be reached.

    Good at the objects and animals of ImageNet, and at similarity of pictures. Texts should be
    English; for other languages use the encoder ``multilingual``, or rely on keyword search.
    """

    spec = "builtin"
    dimension = SEMANTIC + VISUAL
    feature_dimension = 1280
    picture_size = 224
    batch_size = 32
    guesses = True  # the learned map works only in MiniLM's space
    wide_dimension = sum(WIDE)
    wide_text_dimension = len(LAYERS) * SEMANTIC

    def __init__(self) -> None:
        self._vision_parts: Callable[..., Path] = parts_folder
        self._text_parts: Callable[..., Path] = parts_folder
        parts_folder()

    def prepare(self, picture: Image.Image) -> Array:
        """Crop the long side half-way to a square, pad the rest with white, scale to 224 x 224.

        Half-way (the geometric mean of the sides) was better than a square crop, squashing or
        padding alone, on photographs and on drawings (benchmarks/results/encoders.md).
        """
        width, height = picture.size
        side = max(1, round(sqrt(width * height)))
        w, h = min(width, side), min(height, side)
        left, top = (width - w) // 2, (height - h) // 2
        scale = self.picture_size / side
        size = max(1, round(w * scale)), max(1, round(h * scale))
        box = (left, top, left + w, top + h)
        scaled = picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
        pixels = np.full((self.picture_size, self.picture_size, 3), 255, np.uint8)
        x, y = (self.picture_size - size[0]) // 2, (self.picture_size - size[1]) // 2
        pixels[y : y + size[1], x : x + size[0]] = np.asarray(scaled)
        return (pixels.transpose(2, 0, 1).astype(np.float32) - 127.0) / 128.0  # (3, 224, 224)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, 224, 224)) -> pooled features (n, 1280)."""
        return self._look(prepared, "features", (self.feature_dimension,))

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, 224, 224)) -> a 7 x 7 grid of features, (n, 49, 1280)."""
        return self._look(prepared, "grid", (49, self.feature_dimension))

    def project(self, features: Array) -> Array:
        """Features (n, 1280) -> vectors (n, 640): ConSE with the learned map, visual half."""
        p = self._projection
        logits = features @ p["weight"].T + p["bias"]  # (n, 1000)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        semantic = normalise(odds @ (p["class_vectors"] - self._centre))  # (n, 384)
        if self.guesses:
            semantic = normalise(semantic + devise_vectors(features))
        visual = normalise(features @ p["visual"].T)  # (n, 256)
        halves = sqrt(SEMANTIC_SHARE) * semantic, sqrt(1 - SEMANTIC_SHARE) * visual
        return np.concatenate(halves, axis=1, dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, 640) with a visual half of zeros. Cut after 256 tokens."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if texts:
            own = self._text_network.embed(texts)  # (n, 384)
            vectors[:, :SEMANTIC] = normalise(own - self._centres(texts))
        return vectors

    def wide_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, 224, 224)) -> features and wide ones, (n, 1280 + 3680).

        The wide ones are means of the channels of Lite0's last block, and the features and the same
        means of Lite2, which looks at the picture as well.
        """
        parts = [np.zeros((0, self.feature_dimension + self.wide_dimension), np.float32)]
        for i in range(0, len(prepared), self.batch_size):
            pictures = np.stack(prepared[i : i + self.batch_size])
            parts.append(np.hstack(self._wide_vision(pictures)))
        return np.concatenate(parts)

    def wide_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors, and means of the tokens in two lower layers, (n, 640 + 768)."""
        vectors = np.zeros((len(texts), self.dimension + self.wide_text_dimension), np.float32)
        if texts:
            own, wide = self._wide_text.embed_wide(texts)
            vectors[:, :SEMANTIC] = normalise(own - self._centres(texts))
            vectors[:, self.dimension :] = wide
        return vectors

    def supports_language(self, text: str) -> bool:
        """True if at least half of the letters are Latin: MiniLM was trained on English."""
        letters = [c for c in text if c.isalpha()]
        return 2 * sum(c <= LAST_LATIN for c in letters) >= len(letters)

    def _centres(self, texts: Sequence[str]) -> Array:  # noqa: ARG002 (for those that override it)
        """The mean to subtract from text vectors: (384,), or (n, 384)."""
        return self._centre

    def _look(self, prepared: Sequence[Array], output: str, shape: tuple[int, ...]) -> Array:
        batches = range(0, len(prepared), self.batch_size)
        parts = [np.zeros((0, *shape), np.float32)]
        for i in batches:
            pictures = np.stack(prepared[i : i + self.batch_size])
            parts += self._vision_network.run([output], {"pictures": pictures})
        return np.concatenate(parts)

    # Each network is loaded when it is first needed: many uses need only one of them.

    @cached_property
    def _vision_network(self) -> InferenceSession:
        return onnx_session(self._vision_parts("vision.onnx") / "vision.onnx")

    @cached_property
    def _text_network(self) -> TextNetwork:
        return TextNetwork(self._text_parts(*TextNetwork.files))

    @cached_property
    def _wide_vision(self) -> Callable[[Array], list[Array]]:
        session = onnx_session(wide_folder(WIDE_VISION) / WIDE_VISION)
        return lambda pictures: list(session.run(None, {"pictures": pictures}))

    @cached_property
    def _wide_text(self) -> TextNetwork:
        return TextNetwork(wide_folder(*TextNetwork.files))

    @cached_property
    def _projection(self) -> dict[str, Array]:
        from safetensors.numpy import load_file

        return dict(load_file(self._text_parts(PROJECTION) / PROJECTION))

    @cached_property
    def _centre(self) -> Array:
        mean: Array = self._projection["class_vectors"].mean(axis=0)  # (384,)
        return mean


class TextNetwork:
    """MiniLM (all-MiniLM-L6-v2) as ONNX: texts to L2-normalised sentence vectors (n, 384)."""

    files: ClassVar = ("text.onnx", "tokenizer.json")

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._session = onnx_session(folder / "text.onnx")
        self._outputs = self._session.get_outputs()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> (n, 384); texts of similar length share a batch, to avoid padding."""
        return normalise(self._run(texts)[0])

    def embed_wide(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """At least one text (n) -> the vectors (n, 384), and the file's second output (n, wide)."""
        vectors, wide = self._run(texts)
        return normalise(vectors), wide

    def _run(self, texts: Sequence[str]) -> list[Array]:
        outputs = [np.zeros((len(texts), o.shape[-1]), np.float32) for o in self._outputs]
        order = np.argsort([len(t) for t in texts], kind="stable")
        for i in range(0, len(order), TEXT_BATCH):
            rows = order[i : i + TEXT_BATCH]
            # The tokenizer fails on a lone surrogate.
            batch = [texts[j].encode("utf-8", "replace").decode("utf-8") for j in rows]
            tokens = self._tokenizer.encode_batch(batch)
            inputs = {
                "ids": np.array([t.ids for t in tokens], np.int64),
                "mask": np.array([t.attention_mask for t in tokens], np.int64),
            }
            for output, found in zip(outputs, self._session.run(None, inputs), strict=True):
                output[rows] = found
        return outputs
