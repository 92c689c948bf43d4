"""Dual encoders of the Hugging Face hub or a local folder: CLIP, SigLIP, SigLIP 2 etc."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ravl.encoders.base import Array, Encoder, normalise
from ravl.encoders.hf_batches import fitting_batch, run_in_batches
from ravl.encoders.hf_files import model_folder
from ravl.encoders.hf_loading import load_parts
from ravl.encoders.hf_patches import flat_patches, whole_picture
from ravl.errors import EncoderError

TEXT_BATCH = 64
# These were trained without an attention mask: every text is padded to the full length, and the
# last token, usually padding, is pooled.
_FULL_LENGTH = ("siglip", "siglip2")
_TOKENS = {"align": 64}  # trained on fewer tokens than its text model has positions
_ASPECT = 8  # if the model crops pictures to a square, longer pictures are cut before


class HFEncoder(Encoder):
    """Any model of `transformers` with a picture tower and a text tower into one space.

    Reads only safetensors and never runs code that comes with a model. Uses a CUDA device if there
    is one, otherwise the CPU, in float32.

    Args:
        name: a folder, or a name on the Hugging Face hub.

    Raises:
        EncoderError: the model is not found, not complete, or not a dual encoder.
    """

    def __init__(self, name: str) -> None:
        folder = model_folder(name)
        self.spec = f"hf:{folder if Path(name).expanduser().is_dir() else name}"
        self._model, self._processor, self._tokenizer = load_parts(folder)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device)
        self._kind: str = self._model.config.model_type
        self._naflex = "spatial_shapes" in self._processor.model_input_names
        self._text_inputs = set(inspect.signature(self._model.get_text_features).parameters)
        self._max_tokens = self._token_limit()
        self._lower = self._kind in _FULL_LENGTH and getattr(self._tokenizer, "do_lower_case", True)
        self.batch_size = 1
        self._measure()

    @property
    def model(self) -> Any:
        """The model of `transformers`, in eval mode; copy it before you change it."""
        return self._model

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> (3, H, W), by the model's own image processor."""
        picture = picture if picture.mode == "RGB" else picture.convert("RGB")
        if "shortest_edge" in dict(self._processor.size or {}):
            picture = _without_ends(picture)
        inputs = self._processor(images=picture, return_tensors="np")
        if self._naflex:
            rows, columns = inputs["spatial_shapes"][0]
            return whole_picture(inputs["pixel_values"][0], int(rows), int(columns))
        return np.ascontiguousarray(inputs["pixel_values"][0], np.float32)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> the model's image features (n, d)."""
        if not prepared:
            return np.zeros((0, self.feature_dimension), np.float32)
        return self._over_pictures(prepared, grid=False)

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> last hidden states (n, patches, channels).

        The class token is left out. NaFlex pictures with fewer patches than others end in zeros.
        """
        if not prepared:
            return self._over_pictures([self._blank], grid=True)[:0]
        return self._over_pictures(prepared, grid=True)

    def project(self, features: Array) -> Array:
        """Features (n, d) -> the same, L2-normalised."""
        return normalise(features)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> (n, d), L2-normalised. Cut at the model's maximal number of tokens."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        # Texts of similar length share a batch, to avoid padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found, _ = run_in_batches(self._read, [texts[i] for i in order], TEXT_BATCH)
        vectors = np.empty_like(found)  # (n, d)
        vectors[order] = found
        return normalise(vectors)

    def _over_pictures(self, prepared: Sequence[Array], grid: bool) -> Array:
        run = self._patches if grid else self._pooled
        found, self.batch_size = run_in_batches(run, prepared, self.batch_size)
        return found

    def _pooled(self, prepared: Sequence[Array]) -> Tensor:
        return _pooled(self._look(prepared))  # (n, d)

    def _patches(self, prepared: Sequence[Array]) -> Tensor:
        hidden: Tensor | None = getattr(self._look(prepared), "last_hidden_state", None)
        if hidden is None:
            raise EncoderError(
                f"{self.spec} does not return hidden states, so it has no feature grid."
            )
        if hidden.ndim == 4:  # a convolutional tower: (n, channels, h, w)
            return hidden.flatten(2).transpose(1, 2)
        counts = [self._patch_count(p) for p in prepared]
        if not self._naflex:
            return hidden[:, -counts[0] :]  # class and register tokens stand first
        for row, count in zip(hidden, counts, strict=True):
            row[count:] = 0.0
        return hidden

    def _look(self, prepared: Sequence[Array]) -> Any:
        if self._naflex:
            inputs = flat_patches(prepared, self._patch, self._processor.max_num_patches)
        else:
            inputs = {"pixel_values": np.stack(prepared)}  # (n, 3, H, W)
        tensors = {k: torch.from_numpy(v).to(self._device) for k, v in inputs.items()}
        return self._model.get_image_features(**tensors)

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Texts (n) as inputs of the model, (n, t) each, cut at its maximal number of tokens."""
        # A lone surrogate would stop the tokenizer.
        clean = [t.encode("utf-8", "replace").decode("utf-8") for t in texts]
        tokens = self._tokenizer(
            [t.lower() for t in clean] if self._lower else clean,
            padding="max_length" if self._kind in _FULL_LENGTH else True,
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        return {k: v.to(self._device) for k, v in tokens.items() if k in self._text_inputs}

    def _read(self, texts: Sequence[str]) -> Tensor:
        return _pooled(self._model.get_text_features(**self.tokens(texts)))  # (n, d)

    def _token_limit(self) -> int:
        """The maximal number of tokens: limited by the model's positions and by the tokenizer."""
        text = getattr(self._model.config, "text_config", None)
        limit: int = getattr(text, "max_position_embeddings", 512)
        module: Any
        for name, module in self._model.named_modules():
            start = getattr(module, "padding_idx", None)
            if "text" in name and name.endswith("position_embeddings") and start is not None:
                limit = min(
                    limit, int(module.num_embeddings) - int(start) - 1
                )  # RoBERTa counts positions from there
        return min(limit, _TOKENS.get(self._kind, limit), int(self._tokenizer.model_max_length))

    def _measure(self) -> None:
        """Find the sizes by computing one blank picture and one text.

        Configurations use many names for the dimensions. A model whose towers do not share a space
        is detected here, too.
        """
        self._blank = self.prepare(Image.new("RGB", (64, 64)))  # (3, H, W)
        vision = getattr(self._model.config, "vision_config", self._model.config)
        patch = getattr(vision, "patch_size", None) or getattr(self._processor, "patch_size", None)
        self._patch = int(patch if isinstance(patch, int) else (patch or [32])[0])
        try:
            picture, _ = run_in_batches(self._pooled, [self._blank], 1)
            text, _ = run_in_batches(self._read, ["a picture"], 1)
        except EncoderError:
            raise
        except Exception as error:
            raise EncoderError(
                f"{self.spec} cannot encode a picture and a text: {_first_line(error)}. Check that "
                "its preprocessing and tokenizer belong to its weights."
            ) from error
        if picture.ndim != 2 or picture.shape != text.shape:
            raise EncoderError(
                f"{self.spec} is not a dual encoder: its picture vectors have the shape "
                f"{picture.shape[1:]} and its text vectors {text.shape[1:]}. Use one of the CLIP "
                "or SigLIP "
                "families."
            )
        self.dimension = self.feature_dimension = picture.shape[1]
        self.picture_size = max(self._blank.shape[1:])
        self.batch_size = fitting_batch(vision, self._patch_count(self._blank) + 1, self._device)

    def _patch_count(self, prepared: Array) -> int:
        return int(prepared.shape[1] // self._patch) * int(prepared.shape[2] // self._patch)


def _pooled(output: Any) -> Tensor:
    vectors: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return vectors


def _without_ends(picture: Image.Image) -> Image.Image:
    """The middle of a very long picture, which would need gigabytes before it is cropped."""
    width, height = picture.size
    longest = _ASPECT * min(width, height)
    if max(width, height) <= longest:
        return picture
    w, h = min(width, longest), min(height, longest)
    left, top = (width - w) // 2, (height - h) // 2
    return picture.crop((left, top, left + w, top + h))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
