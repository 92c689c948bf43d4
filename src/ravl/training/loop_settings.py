"""The settings of every training loop; each kind of training adds its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Literal, get_args, get_type_hints

from ravl.errors import DataError
from ravl.json_types import JsonObject

Optimiser = Literal["adamw", "sgd"]
Precision = Literal["auto", "full", "mixed"]
KINDS: dict[object, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    bool: (bool, "true or false"),
    str: (str, "a text"),
}


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How a network is trained.

    Args:
        epochs: passes over the training split, at most.
        batch_size: examples in a batch.
        learning_rate: at its peak, after a linear warm-up and before a cosine decay.
        weight_decay: of the weights.
        warmup: share of the steps in which the learning rate rises.
        patience: epochs without a better validation score before training stops.
        optimiser: adamw, or sgd with momentum 0.9.
        max_grad_norm: largest norm of the gradient; 0 for no limit.
        precision: full, mixed (matrix products in bfloat16), or auto for mixed where the machine
            is faster with it.
        seed: of the split, the order, the first weights and all that is drawn by chance.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    warmup: float = 0.1
    patience: int = 3
    optimiser: Optimiser = "adamw"
    max_grad_norm: float = 1.0
    precision: Precision = "full"
    seed: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        check_choices(self)
        check_bounds(self, 1, None, "epochs", "batch_size", "patience")
        check_bounds(self, 0, None, "weight_decay", "max_grad_norm")
        if not self.learning_rate > 0:
            raise DataError(f"learning_rate is {self.learning_rate}; it must be more than 0.")
        check_shares(self, "warmup")

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def check_kinds(settings: object) -> None:
    """Every field must be of its kind, which YAML does not see to; numpy's become Python's."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if kind not in KINDS and kind != tuple[str, ...]:
            continue
        if kind == tuple[str, ...]:
            words = "a list of texts"
            good = isinstance(value, tuple) and all(isinstance(text, str) for text in value)
        else:
            allowed, words = KINDS[kind]
            good = isinstance(value, allowed) and isinstance(value, bool) == (kind is bool)
        if not good:
            raise DataError(f"{name} is {value!r}; it must be {words}.")
        if kind in (int, float) and type(value) not in (int, float):
            object.__setattr__(settings, name, kind(value))


def check_choices(settings: object) -> None:
    """Every field that is a choice must have one of its values."""
    for name, kind in get_type_hints(type(settings)).items():
        allowed = get_args(kind) if getattr(kind, "__origin__", None) is Literal else ()
        value = getattr(settings, name)
        if allowed and value not in allowed:
            choices = ", ".join(map(str, allowed))
            raise DataError(f"{name} is {value!r}; it must be one of {choices}.")


def check_bounds(settings: object, low: float, high: float | None, *names: str) -> None:
    """These fields must be numbers from ``low`` to ``high``."""
    for name in names:
        value = getattr(settings, name)
        if value < low or (high is not None and value > high):
            allowed = f"from {low} to {high}" if high is not None else f"at least {low}"
            allowed = "not be negative" if high is None and low == 0 else f"be {allowed}"
            raise DataError(f"{name} is {value}; it must {allowed}.")


def check_shares(settings: object, *names: str) -> None:
    """These fields must be shares, from 0 to below 1."""
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise DataError(f"{name} is {getattr(settings, name)}; it must be from 0 to below 1.")
