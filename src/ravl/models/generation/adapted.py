"""A pretrained network with a trainable part; only this part and the base's name are saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.module import _IncompatibleKeys
from transformers.pytorch_utils import Conv1D

from ravl.encoders.hf_loading import quiet
from ravl.encoders.towers.freezing import Strategy, add_adapters, freeze, trainable
from ravl.errors import EncoderError
from ravl.files.whole_file import whole_file

WEIGHTS = "learned.safetensors"
PROBES = 16  # values per array for the fingerprint
# Names of the query and value layers of attention (Hu et al. 2021).
ATTENTION = ("q_proj", "v_proj", "query", "value", "c_attn", "query_key_value", "qkv_proj", "Wqkv")


class Adapted(nn.Module):
    """A language model with trainable layers by a strategy, and trainable parts on top.

    Its state contains only trainable arrays, so checkpoints are small.

    Args:
        language: a model of `transformers` with a head; changed in place.
        strategy: how much of it is trained, see
            :func:`ravl.encoders.towers.freezing.parse_strategy`.
        smoothing: label smoothing (Szegedy et al. 2016), 0 for no smoothing.

    Raises:
        DataError: the strategy has more layers than the model.
    """

    def __init__(self, language: Any, strategy: Strategy, smoothing: float = 0.0) -> None:
        super().__init__()
        self.language: Any = language
        self.strategy = strategy
        self.smoothing = smoothing
        self.base = fingerprint(language)
        decoder = language.get_decoder()
        layers = max(
            (list(m) for m in decoder.modules() if isinstance(m, nn.ModuleList)),
            key=len,
            default=[],
        )
        depth = freeze(language, layers, [], strategy)
        if strategy.name == "lora":
            top = {id(m) for layer in layers[len(layers) - depth :] for m in layer.modules()}
            linear = [
                name
                for name, module in language.named_modules()
                if id(module) in top and isinstance(module, nn.Linear | Conv1D)
            ]
            named = [n for n in linear if n.rpartition(".")[2] in ATTENTION]
            with quiet():  # the library records the orientation of the weights of some layers
                add_adapters(language, named or linear)
        language.eval()

    @property
    def device(self) -> torch.device:
        """The device of the language model."""
        found: torch.device = self.language.get_input_embeddings().weight.device
        return found

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """The trainable arrays; the base is identified by its name."""
        learns = {name for name, _ in trainable(self)}
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if name in learns}

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Load the trainable arrays; missing arrays of the base are no error."""
        result: _IncompatibleKeys = super().load_state_dict(state_dict, strict=False, assign=assign)
        learns = {name for name, _ in trainable(self)}
        result.missing_keys[:] = [name for name in result.missing_keys if name in learns]
        if strict and any(result):
            raise RuntimeError(f"missing or unexpected: {result}")
        return result

    def save_learned(self, folder: Path) -> None:
        """Write the trainable arrays to a folder, as safetensors."""
        state = {
            name: value.detach().contiguous().cpu() for name, value in self.state_dict().items()
        }
        with whole_file(folder / WEIGHTS) as half:
            save_file(state, half)

    def load_learned(self, folder: Path) -> None:
        """Load files of :meth:`save_learned`.

        Raises:
            EncoderError: the file is missing or broken, or belongs to another network.
        """
        path = folder / WEIGHTS
        try:
            state = load_file(path)
        except Exception as error:  # the library raises its own kinds of exceptions
            raise EncoderError(f"The weights {path} cannot be read: {error}") from error
        mine = self.state_dict()
        wrong = sorted(set(state) ^ set(mine)) or [
            name for name, value in state.items() if value.shape != mine[name].shape
        ]
        if wrong:
            raise EncoderError(
                f"The weights {path} do not belong to this network: they differ in {len(wrong)} "
                "arrays, "
                f"for example {wrong[0]}."
            )
        self.load_state_dict(state)

    def token_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log likelihood of the target tokens; targets (b, t) of -100 are ignored."""
        return F.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), label_smoothing=self.smoothing
        )


def fingerprint(model: nn.Module) -> str:
    """A fingerprint of the weights: a hash of some values, equal on all machines."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        flat = parameter.detach().flatten()
        places = torch.linspace(0, max(len(flat) - 1, 0), PROBES).long().to(flat.device)
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(flat[places].float().cpu().numpy().tobytes() if len(flat) else b"")
    return digest.hexdigest()[:16]
