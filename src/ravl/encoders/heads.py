"""A trained head: a small network from frozen features to the shared space, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, normalise
from ravl.errors import EncoderError

HIDDEN = ("hidden_weight", "hidden_bias", "out_weight")
ARRAYS = ("mean", "scale", "weight", "bias", *HIDDEN)


@dataclass(frozen=True, eq=False, kw_only=True)
class Head:
    """Standardises features and maps them linearly, with an optional residual hidden layer.

    With z = (signed_power(x) - mean) / scale, the output is the L2-normalised
    ``weight @ z + bias + out_weight @ gelu(hidden_weight @ z + hidden_bias)``.

    Args:
        mean, scale: of each feature, (F,); scale above 0.
        weight: (d, F).
        bias: (d,).
        hidden_weight, hidden_bias, out_weight: (h, F), (h,) and (d, h); all or none.
        power: the features are first mapped to sign(x) |x| ** power; 1.0 changes nothing.

    Raises:
        EncoderError: shapes that do not fit, numbers that are not finite, a scale or power <= 0.
    """

    mean: Array
    scale: Array
    weight: Array
    bias: Array
    hidden_weight: Array | None = None
    hidden_bias: Array | None = None
    out_weight: Array | None = None
    power: float = 1.0

    def __post_init__(self) -> None:
        for name in ARRAYS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.ascontiguousarray(value, np.float32))
        object.__setattr__(self, "power", float(self.power))
        self._check()

    @property
    def inputs(self) -> int:
        """F, the number of input features."""
        return len(self.mean)

    @property
    def dimension(self) -> int:
        """d, the dimension of the output vectors."""
        return len(self.bias)

    def __call__(self, x: Array) -> Array:
        """Features (n, F) -> vectors (n, d), L2-normalised."""
        if self.power != 1.0:
            x = np.sign(x) * np.abs(x) ** np.float32(self.power)
        z = (x - self.mean) / self.scale
        y = z @ self.weight.T + self.bias
        hidden = self.hidden_weight, self.hidden_bias, self.out_weight
        if hidden[0] is not None and hidden[1] is not None and hidden[2] is not None:
            y = y + gelu(z @ hidden[0].T + hidden[1]) @ hidden[2].T
        return normalise(y)

    def arrays(self) -> dict[str, Array]:
        """All arrays by name, float32; the power is not included."""
        values = {name: getattr(self, name) for name in ARRAYS}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], power: float) -> Head:
        """The inverse of :meth:`arrays`; raises EncoderError if one is missing."""
        missing = [n for n in ARRAYS if n not in HIDDEN and n not in arrays]
        if missing:
            raise EncoderError(f"A head of the trained encoder lacks {', '.join(missing)}.")
        return cls(**{n: arrays[n] for n in ARRAYS if n in arrays}, power=power)

    def _check(self) -> None:
        found = self.arrays()
        features, d = self.mean.shape[-1:], self.bias.shape[-1:]
        expected = {"mean": features, "scale": features, "weight": d + features, "bias": d}
        if self.hidden_bias is not None:
            h = self.hidden_bias.shape[-1:]
            hidden = {"hidden_weight": h + features, "hidden_bias": h, "out_weight": d + h}
            expected |= hidden
        shapes = {name: value.shape for name, value in found.items()}
        if shapes != expected or not all(n for shape in shapes.values() for n in shape):
            raise EncoderError(
                f"The arrays of a trained head do not fit together: they are {_listed(shapes)}, "
                "but "
                f"must be {_listed(expected)}."
            )
        wild = [name for name, value in found.items() if not np.isfinite(value).all()]
        if wild:
            raise EncoderError(f"A trained head has numbers that are not finite in {wild[0]}.")
        if not (self.scale > 0).all() or not 0 < self.power < np.inf:
            raise EncoderError("The scale and the power of a trained head must be above 0.")


def gelu(x: NDArray[np.floating]) -> Array:
    """x times the normal distribution's cumulative function, as torch's exact GELU, within 1e-6.

    erf by Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 7.1.26, whose
    error is below 1.5e-7.
    """
    wide = x.astype(np.float64)
    a = np.abs(wide) * np.sqrt(0.5)
    t = 1 / (1 + 0.3275911 * a)
    series = (1.421413741 + t * (-1.453152027 + t * 1.061405429)) * t
    tail = t * (0.254829592 + t * (-0.284496736 + series)) * np.exp(-a * a)  # 1 - erf(a)
    below = np.where(wide > 0, 1 - tail / 2, tail / 2)
    result: Array = (wide * below).astype(np.float32)
    return result


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
