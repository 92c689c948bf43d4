"""Models of the Hugging Face hub or a local folder: safetensors only, and no code of theirs."""

from __future__ import annotations

import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from ravl.encoders.hf_loading import quiet
from ravl.errors import EncoderError
from ravl.untrusted import damage_of, read_json

if TYPE_CHECKING:
    from transformers import (
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
    )

_hf: Any = transformers
_WANTED = ["*.json", "*.txt", "*.model", "*.jinja", "model*.safetensors"]
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_LOCAL = "A local folder works as well: 'hf:/path/to/folder'."
_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
# Scalars and buffers that follow from the configuration.
_DISPENSABLE = ("position_ids", "inv_freq", "attn.bias", "masked_bias")


def found_folder(name: str) -> Path:
    """The folder of a model; a name on the hub is downloaded at its first use.

    Raises:
        EncoderError: no such folder or model, or the hub cannot be reached.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise EncoderError(f"{path} is a file. Give the folder of the model, not one file of it.")
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise EncoderError(
            f"The folder {path} does not exist. Give the folder of a model that transformers has "
            "saved, or its name on the hub, such as 'hf:openai-community/gpt2'."
        )
    from huggingface_hub import snapshot_download

    wanted: dict[str, Any] = {"allow_patterns": _WANTED, "ignore_patterns": ["*/*"]}
    try:
        kept = Path(snapshot_download(name, local_files_only=True, **wanted))
        if _is_whole(kept):
            return kept  # so the model does not change for its users
    except Exception:  # noqa: S110 -- not in the cache; the reasons differ between versions
        pass
    try:
        return Path(snapshot_download(name, etag_timeout=10, **wanted))
    except Exception as error:
        raise EncoderError(
            f"There is no folder {name!r} here, and the model could not be fetched from the "
            f"Hugging Face hub ({_reason(error)}). {_LOCAL}"
        ) from error


def _is_whole(folder: Path) -> bool:
    """Whether the cache has all files: a download may have been broken off."""
    index = folder / "model.safetensors.index.json"
    weights = {"model.safetensors"}
    if index.is_file():
        with damage_of(str(index), "Fetch the model again.", EncoderError):
            weights = set(map(str, read_json(index)["weight_map"].values()))
    tokens = any((folder / name).is_file() for name in _TOKENIZERS)
    return tokens and all((folder / name).is_file() for name in {"config.json", *weights})


def load_config(folder: Path) -> PreTrainedConfig:
    """The configuration of the model in a folder."""
    found: PreTrainedConfig = _loaded(folder, "configuration", _hf.AutoConfig)
    return found


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Its tokenizer."""
    found: PreTrainedTokenizerBase = _loaded(folder, "tokenizer", _hf.AutoTokenizer)
    return found


def load_processor(folder: Path) -> ProcessorMixin:
    """Its processor of pictures and texts; pixels are made by Pillow, with torchvision or not.

    Without torchvision, those of models that also take videos are made without that part.
    """
    pixels = _loaded(folder, "image processor", _hf.AutoImageProcessor, backend="pil")
    kind: Any = PROCESSOR_MAPPING.get(type(load_config(folder)), None)
    if kind is None or find_spec("torchvision") or "video_processor" not in kind.get_attributes():
        processor: ProcessorMixin = _loaded(folder, "processor", _hf.AutoProcessor)
        processor.image_processor = pixels
        return processor
    found: ProcessorMixin = _loaded(
        folder, "processor", _Still(kind, pixels, load_tokenizer(folder))
    )
    return found


class _Still:
    """Makes a processor of pictures and videos without the part for videos.

    Args:
        kind: class of the processor.
        pixels: its image processor.
        tokenizer: its tokenizer.
    """

    def __init__(self, kind: Any, pixels: object, tokenizer: PreTrainedTokenizerBase) -> None:
        self._kind, self._pixels, self._tokenizer = kind, pixels, tokenizer

    def from_pretrained(self, folder: Path, **how: object) -> ProcessorMixin:
        """As the library makes it, but that it accepts no video processor."""
        saved, _ = self._kind.get_processor_dict(folder, **how)
        parts = {*self._kind.get_attributes(), "processor_class", "auto_map"}
        known = inspect.signature(self._kind.__init__).parameters

        usual = self._kind.check_argument_for_proper_class

        def check(made: object, name: str, part: object) -> object:
            return None if name == "video_processor" else usual(made, name, part)

        changed = {"check_argument_for_proper_class": check}
        kind: Any = type(self._kind.__name__, (self._kind,), changed)
        settings = {k: v for k, v in saved.items() if k in known and k not in parts}
        no_videos = SimpleNamespace(num_frames=None, fps=None)  # which SmolVLM's asks for
        made: ProcessorMixin = kind(
            image_processor=self._pixels,
            tokenizer=self._tokenizer,
            video_processor=no_videos,
            **settings,
        )
        return made


def load_network(folder: Path, auto: object) -> PreTrainedModel:
    """The network, in eval mode; float32 on a CPU, as it was saved on a CUDA device.

    Args:
        folder: of the model.
        auto: class of `transformers` that knows which network it is.

    Raises:
        EncoderError: it cannot be loaded, or weights are missing.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, info = _loaded(
        folder,
        "model",
        auto,
        use_safetensors=True,
        output_loading_info=True,
        dtype="auto" if device.type == "cuda" else torch.float32,
    )
    lost = [str(k) for k in info["missing_keys"] if not k.endswith(_DISPENSABLE)]
    lost += [str(k) for k in info["mismatched_keys"]]
    if lost:  # transformers would fill them with random numbers
        raise EncoderError(
            f"The weights in {folder} lack {len(lost)} arrays of a {model.config.model_type!r} "
            f"model, for example {lost[0]}. Weights and config.json must come from the same model."
        )
    found: PreTrainedModel = model.eval().to(device)
    return found


def _loaded(folder: Path, what: str, auto: Any, **how: object) -> Any:
    try:
        with quiet():
            return auto.from_pretrained(folder, **_SAFE, **how)
    except Exception as error:  # transformers raises nearly anything on what it cannot load
        reason = _reason(error)
        missing = re.search(r"torchvision|num2words|sentencepiece", str(error), re.IGNORECASE)
        if missing and "pip install" not in reason:
            reason += f". Run: pip install {missing[0].lower()}"
        raise EncoderError(
            f"The {what} in {folder} cannot be loaded: {reason.rstrip('.')}."
        ) from error


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
