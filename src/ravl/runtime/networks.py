"""The networks of an export, and the manifest that describes them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ravl.encoders import Encoder
from ravl.errors import DataError
from ravl.json_types import JsonRecord
from ravl.runtime import names
from ravl.runtime.generator import OnnxGenerator
from ravl.runtime.reader import OnnxReader
from ravl.runtime.tokenizer import OnnxTokenizer
from ravl.runtime.tower import OnnxTower
from ravl.untrusted import damage_of, read_json


@dataclass(frozen=True, eq=False)
class OnnxNetworks:
    """Opens the networks of an export; see :class:`ravl.runs.networks.Networks`.

    Args:
        folder: the folder of the export.
        manifest: the content of ``export.json``.
    """

    folder: Path
    manifest: JsonRecord

    @classmethod
    def open(cls, folder: Path) -> OnnxNetworks:
        """The networks of an export; without torch its encoder's files are copied to the cache.

        Raises:
            DataError: the manifest is damaged, or from a newer ravl.
        """
        file = folder / names.MANIFEST
        with damage_of(str(file), "Export the run again."):
            manifest = read_json(file)
            number = int(manifest["format"])
            if not isinstance(manifest["networks"], dict):
                raise ValueError("its networks are not an object")
        if number > names.FORMAT:
            raise DataError(
                f"{folder} was exported by a newer ravl (format {number}). Update ravl."
            )
        _install(folder / names.ENCODER)
        return cls(folder, manifest)

    def reader(self, folder: Path, max_length: int) -> tuple[OnnxReader, OnnxTokenizer | None]:
        """The fusion model in a folder of the export, and its tokenizer."""
        about = self._about(names.FUSION)
        words = None
        if max_length:
            words = OnnxTokenizer(
                folder, max_length, int(about["separator"]), int(about["unknown"])
            )
        return OnnxReader(folder, about), words

    def generator(self, folder: Path, max_new_tokens: int) -> OnnxGenerator:
        """The generator in a folder of the export."""
        return OnnxGenerator(folder, self._about(names.WRITE), max_new_tokens)

    def tower(self, folder: Path, encoder: Encoder) -> OnnxTower:
        """The vision tower in a folder of the export."""
        return OnnxTower(folder, encoder)

    def _about(self, name: str) -> JsonRecord:
        try:
            found: JsonRecord = self.manifest["networks"][name]
        except KeyError as error:
            raise DataError(
                f"{self.folder / names.MANIFEST} does not mention the network {name!r}. Export the "
                "run again."
            ) from error
        return found


def _install(folder: Path) -> None:
    """Copy files of encoders to the cache, where they are missing and cannot be made.

    The files decide all vectors of this machine from then on. Where torch is installed, they are
    made from the packages of weights, and an export of somebody else decides nothing.
    """
    from ravl.cache import cache_dir, made_folder

    if find_spec("torch") is not None:
        return
    for source in sorted(folder.glob("*")) if folder.is_dir() else []:
        made_folder(cache_dir("encoders") / source.name, partial(_copy, source))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
