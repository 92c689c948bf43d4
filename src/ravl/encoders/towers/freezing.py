"""Which layers of a model are trained: none, the top layers, low-rank adapters, or all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ravl.errors import DataError

if TYPE_CHECKING:  # settings use strategies without running a network
    from torch import nn

Name = Literal["head", "lora", "top", "full"]

LORA_RANK, LORA_ALPHA = 8, 16


@dataclass(frozen=True, slots=True)
class Strategy:
    """How much of a model is trained; ``str()`` is the inverse of :func:`parse_strategy`.

    Args:
        name: ``head`` (only the head on top), ``lora`` (low-rank adapters in the upper half of the
            layers: Hu et al. 2021, https://arxiv.org/abs/2106.09685), ``top`` (the top layers) or
            ``full`` (everything).
        layers: the number of layers, for ``top``; otherwise 0.
    """

    name: Name
    layers: int = 0

    def depth(self, layers: int) -> int:
        """The number of trainable layers, counted from the top.

        Raises:
            DataError: the model has fewer layers.
        """
        if self.layers > layers:
            raise DataError(
                f"The strategy {self} needs {self.layers} layers, but the model has {layers}. Use "
                f"at most top:{layers}, or full."
            )
        shares = {"head": 0, "top": self.layers, "lora": -(-layers // 2), "full": layers}
        return shares[self.name]

    def __str__(self) -> str:
        return f"top:{self.layers}" if self.name == "top" else self.name


def parse_strategy(text: str) -> Strategy:
    """``head``, ``lora``, ``top:N`` or ``full`` as a :class:`Strategy`.

    Raises:
        DataError: anything else.
    """
    match text.strip():
        case "head" | "lora" | "full" as name:
            return Strategy(name)
        case other if found := re.fullmatch(r"top:(\d{1,4})", other, re.ASCII):
            if int(found[1]):
                return Strategy("top", int(found[1]))
    raise DataError(
        f"The strategy is {text!r}; it must be head, lora, full, or top:N with the number of "
        "layers to train, for example top:4."
    )


def freeze(
    model: nn.Module, layers: Sequence[nn.Module], above: Iterable[nn.Module], strategy: Strategy
) -> int:
    """Make only the strategy's parameters trainable; :func:`add_adapters` adds adapters.

    Args:
        model: the whole model.
        layers: the layers of the model, the lowest first.
        above: modules above the layers that are trained with them, such as a last norm or
            projection.
        strategy: how much is trained.

    Returns:
        The number of trainable layers, counted from the top.

    Raises:
        DataError: the strategy has more layers than the model.
    """
    depth = strategy.depth(len(layers))
    model.requires_grad_(strategy.name == "full")
    if strategy.name == "top":
        for part in [*layers[len(layers) - depth :], *above]:
            part.requires_grad_(True)
    return depth


def add_adapters(
    model: nn.Module, names: Sequence[str], rank: int = LORA_RANK, alpha: int = LORA_ALPHA
) -> None:
    """Add low-rank adapters, initially without effect; only the adapters are trainable.

    Args:
        model: changed in place.
        names: of linear layers and convolutions, as in ``named_modules``.
        rank: of the adapters.
        alpha: their output is scaled by alpha / rank.
    """
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(names))
    # the same adapters each time; the caller's random state does not change
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inject_adapter_in_model(config, model)


def trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The trainable parameters with their names."""
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)
