"""The files of a trained encoder: their names, and how to read them."""

from __future__ import annotations

from pathlib import Path

from ravl import untrusted
from ravl.encoders.base import Array
from ravl.encoders.words import FILES as WORD_FILES
from ravl.errors import EncoderError
from ravl.json_types import JsonObject
from ravl.untrusted import damage_of, parse_json

# formats of the files: heads alone, with tuned towers, with word vectors; an older ravl would
# misread the later ones
FORMAT, TOWERS, WORDS = 1, 2, 3
AGAIN = "Train it again, or take its files from a copy of before."
SETTINGS, WEIGHTS = "encoder.json", "encoder.safetensors"
TUNED = ("vision.json", "vision.safetensors", "text.json", "text.safetensors")  # of towers
BESIDE = (*TUNED, *WORD_FILES)  # all that may run beside the base


def read_folder(folder: Path) -> tuple[Path, dict[str, bytes]]:
    """Find a trained encoder in a folder or its sub-folder ``encoder``, and its files.

    Raises:
        EncoderError: there is no trained encoder, or it cannot be read.
    """
    places = [p for p in (folder, folder / "encoder") if (p / SETTINGS).is_file()]
    if not places:
        raise EncoderError(
            f"There is no trained encoder in {folder}: neither {SETTINGS} nor "
            f"encoder/{SETTINGS}. Give the folder of a finished training run."
        )
    try:
        files = (places[0] / name for name in (SETTINGS, WEIGHTS, *BESIDE))
        state = {file.name: file.read_bytes() for file in files if file.exists()}
    except OSError as error:
        raise EncoderError(f"The trained encoder in {places[0]} cannot be read: {error}.") from (
            error
        )
    return places[0], state


def read_settings(data: bytes) -> JsonObject:
    """The content of ``encoder.json``; EncoderError if it is damaged or from a newer ravl."""
    with damage_of(f"{SETTINGS} of the trained encoder", AGAIN, EncoderError):
        settings = parse_json(data)
        found = int(settings["format"])
    if found > WORDS:
        raise EncoderError(
            f"The trained encoder was made by a newer ravl (format {found}; this one reads up to "
            f"{WORDS}). Upgrade with: pip install --upgrade ravl"
        )
    return dict(settings)


def read_arrays(data: bytes) -> dict[str, Array]:
    """The content of ``encoder.safetensors``; raises EncoderError if it is damaged."""
    return untrusted.read_arrays(data, f"{WEIGHTS} of the trained encoder", AGAIN, EncoderError)
