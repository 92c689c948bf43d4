"""Base class of towers: the encoder that they were tuned from, and their files."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import nn

from ravl.encoders.base import Encoder, Fingerprint
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.towers.freezing import Strategy, parse_strategy, trainable
from ravl.encoders.trained_files import AGAIN
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.files.whole_file import write_bytes
from ravl.json_types import JsonObject
from ravl.untrusted import damage_of, parse_json

FORMAT = 1  # format of the files; increase when an older ravl would misread them
ATTENTION = ("q_proj", "v_proj", "query", "value")  # adapters help most here (Hu et al. 2021)
TENDER = 0.1  # factor of the learning rate; CLIP is usually tuned with 1e-5 to 5e-5


class Tower(ABC):
    """A copy of one network of an encoder; some of its layers are trainable.

    Args:
        encoder: the encoder whose network is copied; for a trained encoder, its base.
        strategy: see :func:`~ravl.encoders.towers.freezing.parse_strategy`.
    """

    kind: ClassVar[str]  # kind of network; part of the files' names
    whole: nn.Module

    def __init__(self, encoder: Encoder, strategy: str | Strategy) -> None:
        self.encoder = encoder
        self.strategy = parse_strategy(strategy) if isinstance(strategy, str) else strategy
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @classmethod
    def same(cls, known: Fingerprint, now: Fingerprint) -> bool:
        """True if two encoders have the same network of this kind."""
        raise NotImplementedError

    @property
    def lr_scale(self) -> float:
        """The factor for the learning rate, relative to convolutions and adapters.

        A fully trained transformer would forget its pretraining at the rate of adapters.
        """
        tender = self.strategy.name in ("top", "full")
        return TENDER if tender and not isinstance(self.encoder, BuiltinEncoder) else 1.0

    @property
    def learning(self) -> list[nn.Parameter]:
        """The trainable parameters."""
        return [p for _, p in trainable(self.whole)]

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        return sum(p.numel() for p in self.learning)

    def options(self) -> JsonObject:
        """Other arguments of the constructor."""
        return {}

    # --- keeping it ------------------------------------------------------------------------

    @classmethod
    def files(cls) -> tuple[str, str]:
        """Names of the files: settings and weights."""
        return f"{cls.kind}.json", f"{cls.kind}.safetensors"

    def state(self) -> dict[str, bytes]:
        """The files by name: only trained weights."""
        from safetensors.torch import save

        learned = {n: p.detach().cpu().contiguous() for n, p in trainable(self.whole)}
        settings = {
            "format": FORMAT,
            "strategy": str(self.strategy),
            "encoder": self.encoder.spec,
            "options": self.options(),
            "fingerprint": self.encoder.fingerprint.to_json(),
        }
        text = json.dumps(settings, indent=1) + "\n"
        return dict(zip(self.files(), (text.encode(), save(learned)), strict=True))

    def save(self, folder: str | Path) -> None:
        """Write the files to a folder; the folder is created if necessary."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.state().items():
            write_bytes(folder / name, data)

    @classmethod
    def from_state(cls, state: Mapping[str, bytes], encoder: Encoder) -> Self:
        """The tower from files of :meth:`state`.

        Args:
            state: the files by name.
            encoder: the encoder that it was tuned from, or trained heads on this encoder.

        Raises:
            EncoderError: files are missing, damaged, or from a newer ravl.
            EncoderMismatchError: it was tuned from another encoder.
        """
        from ravl.encoders.towers.vision_networks import base_of

        names = cls.files()
        settings = cls._settings(state, names[0])
        known, base = Fingerprint.from_json(settings["fingerprint"]), base_of(encoder)
        if not cls.same(known, base.fingerprint):
            raise EncoderMismatchError(
                f"The {cls.kind} tower was tuned from the encoder {settings['encoder']}, and "
                f"{base.spec} computes other features. Load the first one."
            )
        with damage_of(names[0], AGAIN, EncoderError):
            tower = cls(base, settings["strategy"], **settings.get("options", {}))
        tower._fill(state.get(names[1]), names[1])
        return tower

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> Self:
        """The tower from files of :meth:`save`; see :meth:`from_state`."""
        files = [Path(folder) / name for name in cls.files()]
        state = {file.name: file.read_bytes() for file in files if file.is_file()}
        try:
            return cls.from_state(state, encoder)
        except EncoderError as error:
            raise type(error)(f"{error} (In {folder}.)") from error

    @classmethod
    def _settings(cls, state: Mapping[str, bytes], name: str) -> JsonObject:
        if name not in state:
            raise EncoderError(f"{name} does not exist, so there is no {cls.kind} tower to load.")
        with damage_of(name, AGAIN, EncoderError):
            settings: JsonObject = parse_json(state[name])
            version, _ = int(settings["format"]), Fingerprint.from_json(settings["fingerprint"])
            settings["strategy"], settings["encoder"]
        if version > FORMAT:
            raise EncoderError(f"{name} is a {cls.kind} tower of a newer ravl. Update ravl.")
        return settings

    def _fill(self, data: bytes | None, name: str) -> None:
        from safetensors.torch import load

        own = dict(trainable(self.whole))
        try:
            learned = load(data or b"")
        except Exception as error:  # damaged files raise several kinds of exceptions
            raise EncoderError(f"{name} cannot be read: {error}.") from error
        shapes = [{n: tuple(p.shape) for n, p in x.items()} for x in (own, learned)]
        if shapes[0] != shapes[1]:
            raise EncoderError(f"{name} does not contain the layers that {self.strategy} tunes.")
        with torch.no_grad():
            for key, parameter in own.items():
                parameter.copy_(learned[key])
