"""The file beside learned weights that says what they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ravl import addresses
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject
from ravl.untrusted import read_json, reason_of

if TYPE_CHECKING:
    from ravl.models.generation.adapted import Adapted

FILE = "generator.json"
FORMAT = 1  # raise when an older ravl would misread the files


@dataclass(frozen=True)
class Settings:
    """What a folder of learned weights says of itself.

    Args:
        kind: of generator.
        source: the model below, a folder or a name on the hub.
        base: fingerprint of its weights in training.
        strategy: what learned.
        rest: other arguments of the generator.
    """

    kind: str
    source: str
    base: str
    strategy: str
    rest: JsonObject

    def check(self, network: Adapted) -> None:
        """Raises EncoderMismatchError if the model below is another one than in training."""
        if network.base != self.base:
            raise EncoderMismatchError(
                f"{self.source} has other weights now ({network.base}) than when the generator was "
                f"trained on it ({self.base}). Bring the old ones back, or train again."
            )


def write_settings(
    folder: Path, kind: str, source: str, network: Adapted, rest: JsonObject
) -> None:
    """Write the file; makes the folder if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "format": FORMAT,
        "kind": kind,
        "source": source,
        "base": network.base,
        "strategy": str(network.strategy),
        "rest": rest,
    }
    write_text(folder / FILE, json.dumps(data, indent=2) + "\n")


def read_settings(folder: Path, kind: str = "") -> Settings:
    """Read the file.

    Args:
        folder: that a generator was saved to.
        kind: that it must be of; empty for any.

    Raises:
        EncoderError: it is missing or broken, of another kind, or of a newer ravl.
        AddressError: the model below is one of the hub that the user has not named.
    """
    path = folder / FILE
    try:
        data = read_json(path)
        version = int(data.pop("format"))
        found = Settings(**data)
    except Exception as error:
        why = reason_of(error)
        raise EncoderError(f"{path} is not the file of a trained generator: {why}.") from error
    if version > FORMAT:
        raise EncoderError(f"{path} was written by a newer ravl. Update ravl to read it.")
    if kind and found.kind != kind:
        raise EncoderError(f"{path} is of a generator of the kind {found.kind!r}, not {kind!r}.")
    addresses.check(f"hf:{found.source}", f"The file {path}")
    return found
