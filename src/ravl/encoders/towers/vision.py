"""A vision tower that can be tuned: a frozen stem, and a tail whose layers learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ravl.encoders.base import Array, Encoder, Fingerprint
from ravl.encoders.builtin import BuiltinEncoder
from ravl.encoders.towers.freezing import Strategy, add_adapters, freeze, parse_strategy, trainable
from ravl.encoders.towers.vision_networks import base_of, fuse_norms, vision_network
from ravl.errors import EncoderError, EncoderMismatchError

FORMAT = 1  # of the files; raise when an older ravl would misread them
SETTINGS, WEIGHTS = "vision.json", "vision.safetensors"
BATCH = 2  # pictures at once of the builtin network: larger maps are mapped anew each time
TENDER = 0.1  # of the rate; CLIP is usually tuned with 1e-5 to 5e-5
LARGEST = 65504.0  # of float16
ATTENTION = ("q_proj", "v_proj", "query", "value")  # where adapters help most (Hu et al. 2021)

Maps = NDArray[np.float16] | NDArray[np.uint8]


class VisionTower:
    """An encoder's vision network, copied, of which some top layers can learn.

    The stem's result is the same in every epoch, so that it is computed once a picture and kept
    (:meth:`stem`); a training step runs the tail alone. Batch norms always use the statistics that
    they came with: those of a small batch would spoil them.

    Args:
        encoder: whose network is copied: ``builtin``, one of ``hf:``, or trained heads on these.
            With the strategy ``head``, which tunes nothing, any.
        strategy: see :func:`~ravl.encoders.towers.freezing.parse_strategy`. The builtin encoder
            has 16 layers (its blocks); above them stands a last convolution, which learns with
            them.

    Raises:
        DataError: an unknown strategy, or more layers than there are.
        EncoderError: the encoder's network cannot be trained, or cannot be cut into layers.
    """

    def __init__(self, encoder: Encoder, strategy: str | Strategy) -> None:
        self.encoder = base_of(encoder)
        self.strategy = parse_strategy(strategy) if isinstance(strategy, str) else strategy
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._whole, depth = nn.Sequential(), 0
        if self.strategy.name != "head":
            self._whole = vision_network(self.encoder, whole=self.strategy.name == "full")
            depth = self._thaw()
        cut = 0 if self.strategy.name == "full" else max(0, len(self._whole) - 1 - depth)
        self._stem = self._whole[:cut]
        fuse_norms(self._stem)
        self.tail: nn.Module = _Tail(self._whole[cut:], *self._levels())
        self._whole.to(self.device)
        self.tail.to(self.device)

    def stem(self, prepared: Sequence[Array]) -> Maps:
        """Prepared pictures (n, each (3, H, W)) -> what the tail takes, to be kept: (n, ...).

        float16 maps of the frozen layers; the pixels themselves as uint8 for the strategy
        ``full``; the encoder's features (n, F) for ``head``.
        """
        if self.strategy.name == "full":
            low, high = self._levels()
            levels = (np.stack(prepared) - low) / (high - low) * 255
            return levels.round().clip(0, 255).astype(np.uint8)
        if self.strategy.name == "head":
            maps = self.encoder.features(prepared)
        else:
            maps = self._run(self._stem, prepared)
        return maps.clip(-LARGEST, LARGEST).astype(np.float16)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> pooled features (n, F), as tuned."""
        if not prepared:
            return np.zeros((0, self.encoder.feature_dimension), np.float32)
        if self.strategy.name == "head":
            return self.encoder.features(prepared)
        return self._run(self._whole, prepared)

    def prepare(self, picture: Image.Image) -> Array:
        """As the encoder does: one RGB picture -> the network's input (3, H, W)."""
        return self.encoder.prepare(picture)

    @property
    def pace(self) -> float:
        """The learning rate that suits it, as a share of what suits convolutions and adapters.

        Transformers that learn as a whole forget what they know at such rates.
        """
        tender = self.strategy.name in ("top", "full")
        return TENDER if tender and not isinstance(self.encoder, BuiltinEncoder) else 1.0

    @property
    def parameters(self) -> int:
        """How many numbers the tower can learn."""
        return sum(p.numel() for _, p in trainable(self._whole))

    # --- keeping it ------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write ``vision.json`` and ``vision.safetensors``: what has learned, and nothing else."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        learned = {n: p.detach().cpu().contiguous() for n, p in trainable(self._whole)}
        save_file(learned, folder / WEIGHTS)
        settings = {
            "format": FORMAT, "strategy": str(self.strategy), "encoder": self.encoder.spec,
            "fingerprint": self.encoder.fingerprint.to_json(),
        }  # fmt: skip
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> VisionTower:
        """The tower that :meth:`save` wrote.

        Args:
            folder: with its two files.
            encoder: the one it was tuned from, or trained heads on that.

        Raises:
            EncoderError: files that are missing, damaged, or of a newer ravl.
            EncoderMismatchError: it was tuned from another encoder.
        """
        folder = Path(folder)
        settings = _read_settings(folder)
        known, base = Fingerprint.from_json(settings["fingerprint"]), base_of(encoder)
        if not known.same_tower(base.fingerprint):
            raise EncoderMismatchError(
                f"The vision tower in {folder} was tuned from the encoder {settings['encoder']}, "
                f"and {base.spec} computes other features. Load the first one."
            )
        tower = cls(base, settings["strategy"])
        tower._fill(folder / WEIGHTS)
        return tower

    def _fill(self, file: Path) -> None:
        from safetensors.torch import load_file

        own = dict(trainable(self._whole))
        try:
            learned = load_file(file)
        except Exception as error:  # of several kinds on damaged files
            raise EncoderError(f"{file} cannot be read: {error}.") from error
        shapes = [{n: tuple(p.shape) for n, p in x.items()} for x in (own, learned)]
        if shapes[0] != shapes[1]:
            raise EncoderError(f"{file} does not hold the layers that {self.strategy} tunes.")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(learned[name])

    # --- inside ----------------------------------------------------------------------------

    def _thaw(self) -> int:
        """Let the strategy's layers learn; gives their number, counted from the top."""
        steps = list(self._whole)
        layers = steps[1:-1]  # none where the network is one step, which is then tuned in full
        if self.strategy.name == "full":
            self._whole.requires_grad_(True)
            return len(layers)
        depth = freeze(self._whole, layers, steps[-1:], self.strategy)
        if self.strategy.name == "lora":
            add_adapters(self._whole, self._adapted(len(steps) - 1 - depth))
        return depth

    def _adapted(self, first: int) -> list[str]:
        """Names of what takes adapters, from this step on."""
        builtin = isinstance(self.encoder, BuiltinEncoder)
        return [
            name
            for name, module in self._whole.named_modules()
            if name
            and int(name.split(".")[0]) >= first
            and (_pointwise(module) if builtin else name.endswith(ATTENTION))
        ]

    def _levels(self) -> tuple[Array, Array]:
        """What the encoder makes of black and of white, (1, 3, 1, 1) each, for ``full``."""
        if self.strategy.name != "full":
            return np.zeros((1, 3, 1, 1), np.float32), np.ones((1, 3, 1, 1), np.float32)
        plain = (self.prepare(Image.new("RGB", (64, 64), c)) for c in ("black", "white"))
        low, high = (x.mean((1, 2), dtype=np.float32).reshape(1, 3, 1, 1) for x in plain)
        return low, high

    @torch.inference_mode()
    def _run(self, network: nn.Module, prepared: Sequence[Array]) -> Array:
        builtin = isinstance(self.encoder, BuiltinEncoder) and self.device.type == "cpu"
        size, parts = BATCH if builtin else self.encoder.batch_size, []
        for i in range(0, len(prepared), size):
            pictures = torch.from_numpy(np.stack(prepared[i : i + size])).to(self.device)
            parts.append(network(_laid_out(pictures)).cpu().numpy())
        return np.concatenate(parts)


class _Tail(nn.Module):
    """What has been kept (n, ...) -> features (n, F), always in eval mode."""

    low: Tensor
    span: Tensor

    def __init__(self, steps: nn.Module, low: Array, high: Array) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("low", torch.from_numpy(low), persistent=False)
        self.register_buffer("span", torch.from_numpy((high - low) / 255), persistent=False)
        self.train(False)

    def forward(self, maps: Tensor) -> Tensor:
        x = maps.float()
        if maps.dtype == torch.uint8:
            x = x * self.span + self.low
        features: Tensor = self.steps(_laid_out(x))
        return features

    def train(self, mode: bool = True) -> _Tail:  # noqa: ARG002
        """Norms and dropouts stay as in inference: only the weights learn."""
        return super().train(False)


def _laid_out(x: Tensor) -> Tensor:
    """Pictures with their channels last in memory, which convolutions on a CPU are made for."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def _pointwise(module: Any) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)


def _read_settings(folder: Path) -> dict[str, Any]:
    file = folder / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(file.read_text("utf-8"))
        version, _ = int(settings["format"]), Fingerprint.from_json(settings["fingerprint"])
        settings["strategy"], settings["encoder"]
    except FileNotFoundError:
        raise EncoderError(f"{file} does not exist, so there is no vision tower to load.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{file} is not what ravl writes: {error}.") from error
    if version > FORMAT:
        raise EncoderError(f"{folder} holds a vision tower of a newer ravl. Update ravl.")
    return settings
