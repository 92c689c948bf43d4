"""Find the folder of a model: on disk, in the hub's cache, or on the hub.

Weights, preprocessing and tokenizer always come from one folder, at one revision. A missing file is
an error and is never replaced by a default, because wrong preprocessing gives no error message.
"""

from __future__ import annotations

import re
from pathlib import Path

from ravl.errors import EncoderError
from ravl.untrusted import read_json

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
# Only these: repositories also contain the same weights in other formats and sizes.
_WANTED = ["*.json", "*.txt", "*.model", "model*.safetensors"]
_LOCAL = "A local folder works, too: 'hf:/path/to/folder'."


def model_folder(name: str) -> Path:
    """The folder with all files of a model; a hub name is downloaded at its first use.

    A model in the hub's cache is used without contacting the hub, so the encoder of a memory does
    not change.

    Args:
        name: a folder, or a name on the Hugging Face hub such as "openai/clip-vit-base-patch32".

    Raises:
        EncoderError: the folder does not exist, the hub cannot be reached, or files are missing.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        folder = path.resolve()
    elif path.exists():
        raise EncoderError(f"{path} is a file. Give the folder of the model, not one file of it.")
    elif not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise EncoderError(
            f"The folder {path} does not exist. Give the folder of a model that transformers has "
            "saved, or its name on the hub, such as 'hf:openai/clip-vit-base-patch32'."
        )
    else:
        folder = _from_hub(name)
    missing = missing_files(folder)
    if missing:
        raise EncoderError(
            f"The model in {folder} is not complete. Missing: {'; '.join(missing)}. Copy the "
            "missing files from the source of the weights (AutoModel, AutoImageProcessor and "
            "AutoTokenizer each have `save_pretrained(folder)`)."
        )
    return folder


def missing_files(folder: Path) -> list[str]:
    """The missing files of an encoder's folder, in words; empty if it is complete."""

    def lacks(*names: str) -> bool:
        return not any((folder / n).is_file() for n in names)

    missing = []
    if lacks("config.json"):
        missing.append("the configuration (config.json)")
    if lacks(*_WEIGHTS):
        pickled = not lacks("pytorch_model.bin", "pytorch_model.bin.index.json")
        note = ", because pickled weights (pytorch_model.bin) can run code and are not loaded"
        missing.append(f"weights as safetensors (model.safetensors){note if pickled else ''}")
    if lacks("preprocessor_config.json") and not _processor_holds_pictures(folder):
        missing.append("the preprocessing of pictures (preprocessor_config.json)")
    if lacks(*_TOKENIZERS):
        missing.append("the tokenizer (tokenizer.json, or vocab.txt, spiece.model ...)")
    elif lacks(*(n for n in _TOKENIZERS if n != "vocab.json")) and lacks("merges.txt"):
        missing.append("the other half of the tokenizer in vocab.json (merges.txt)")
    return missing


def _processor_holds_pictures(folder: Path) -> bool:
    """Processors saved by transformers 5 contain the preprocessing of pictures in their file."""
    try:
        return bool(read_json(folder / "processor_config.json").get("image_processor"))
    except (OSError, ValueError):
        return False


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    def fetch(local: bool) -> Path:
        return Path(
            snapshot_download(
                name,
                allow_patterns=_WANTED,
                ignore_patterns=["*/*"],
                local_files_only=local,
                etag_timeout=10,
            )
        )

    try:
        folder = fetch(local=True)
        if not missing_files(folder):
            return folder
    except Exception:  # noqa: S110 -- not in the cache; the reasons differ between versions
        pass
    try:
        return fetch(local=False)
    except RepositoryNotFoundError as error:
        raise EncoderError(
            f"The hub has no model {name!r} that can be read without logging in. Check the name, "
            f"or log in with `hf auth login`. {_LOCAL}"
        ) from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(
            f"There is no folder {name!r} here, and the model could not be fetched from the "
            "Hugging Face hub, which cannot be reached or answered with an error "
            f"({reason.removeprefix('Got: ').rstrip('.')}). {_LOCAL}"
        ) from error
