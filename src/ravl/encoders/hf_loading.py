"""Load a model, its image processor and its tokenizer from one folder, silently."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

from ravl.errors import EncoderError

_hf: Any = transformers  # it is only partly typed
_logging: Any = logging

# Scalars that only a loss needs, and buffers that are computed from the configuration.
_DISPENSABLE = ("position_ids", "logit_scale", "logit_bias")


def load_parts(folder: Path) -> tuple[Any, Any, Any]:
    """The model (in eval mode, float32), its image processor and its tokenizer.

    Raises:
        EncoderError: the model is not a dual encoder, its kind is unknown, or weights are missing.
    """
    try:
        with quiet():
            model = _load_model(folder)
            processor = _hf.AutoImageProcessor.from_pretrained(
                folder,
                backend="pil",  # the same pixels with and without torchvision
                local_files_only=True,
                trust_remote_code=False,
            )
            tokenizer = _hf.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            _check_vocabulary(folder, model.config, tokenizer)
    except EncoderError:
        raise
    # transformers raises many kinds of exceptions for models that it cannot load
    except Exception as error:
        if "sentencepiece" in str(error):
            raise EncoderError(
                f"The tokenizer in {folder} needs SentencePiece. Run: "
                "pip install sentencepiece protobuf"
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(f"The model in {folder} cannot be loaded: {reason}") from error
    return model, processor, tokenizer


def _load_model(folder: Path) -> Any:
    config = _hf.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    kind = config.model_type
    # Check the class, to avoid reading a large model of another kind from disk.
    architecture = _hf.AutoModel._model_mapping.get(type(config), None)
    if isinstance(architecture, tuple):
        architecture = architecture[0]
    if architecture is None or not _is_dual_encoder(architecture):
        raise EncoderError(
            f"The model in {folder} is of the kind {kind!r}. It is not a dual encoder with "
            "get_image_features and get_text_features. Use one of the CLIP or SigLIP families."
        )
    model, info = _hf.AutoModel.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    lost = [k for k in info["missing_keys"] if not k.endswith(_DISPENSABLE)]
    lost += [str(k) for k in info["mismatched_keys"]]
    if lost:  # transformers would initialise them with random numbers
        raise EncoderError(
            f"The weights in {folder} lack {len(lost)} arrays of a {kind!r} model, for example "
            f"{lost[0]}. Weights and config.json must come from the same model."
        )
    return model.eval()


def _check_vocabulary(folder: Path, config: object, tokenizer: Any) -> None:
    """Detect a tokenizer that did not find its files and started with an empty vocabulary."""
    known = int(getattr(getattr(config, "text_config", None), "vocab_size", 0))
    if len(tokenizer) < known / 4:
        raise EncoderError(
            f"The tokenizer in {folder} has {len(tokenizer):,} tokens, its model {known:,}. "
            "Copy all files of the tokenizer from the source of the weights."
        )


def _is_dual_encoder(architecture: object) -> bool:
    return all(hasattr(architecture, f"get_{tower}_features") for tower in ("image", "text"))


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars, reports and hints of transformers while a model is loaded."""
    verbosity, bars = _logging.get_verbosity(), _logging.is_progress_bar_enabled()
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _logging.set_verbosity(verbosity)
        if bars:
            _logging.enable_progress_bar()
