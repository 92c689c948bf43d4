"""The trainable part of a retriever: a head for pictures and a head for texts."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.distributed import get_world_size, is_initialized
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F

from ravl.encoders.base import Array
from ravl.encoders.trained import Head
from ravl.training.losses import info_nce, sigmoid_loss
from ravl.training.settings import RetrieverSettings

FLOOR = 1e-3  # of the features' spread; a feature that never varies tells nothing
SHARPEST = 100.0  # inverse temperature, as in CLIP
SIGMOID_BIAS = -10.0  # at the start, as in SigLIP


class TrainableHead(nn.Module):
    """Features (b, F) to unit vectors (b, d); becomes a :class:`ravl.encoders.trained.Head`.

    Args:
        features: of the training part, (n, F), from which it learns mean and spread.
        settings: dimension, hidden size, dropout.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: Array, settings: RetrieverSettings) -> None:
        super().__init__()
        # Features after a ReLU have long tails; a square root tames them (+1.3 points of R@10).
        self.power = 0.5 if features.min() >= 0 else 1.0
        x = self._tamed(torch.from_numpy(features))
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("scale", x.std(0, correction=0).clamp(min=FLOOR))
        self.dropout = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(features.shape[1], settings.dimension)
        self.hidden: nn.Linear | None = None
        if settings.hidden:
            self.hidden = nn.Linear(features.shape[1], settings.hidden)
            self.out = nn.Linear(settings.hidden, settings.dimension, bias=False)
            nn.init.zeros_(self.out.weight)  # begins as the linear head

    def forward(self, features: Tensor) -> Tensor:
        """(b, F) -> (b, d), L2-normalised."""
        x = self.dropout((self._tamed(features) - self.mean) / self.scale)
        y = self.linear(x)
        if self.hidden is not None:
            y = y + self.out(self.dropout(F.gelu(self.hidden(x))))
        return F.normalize(y, dim=-1)

    def export(self) -> Head:
        """As plain arrays, for inference without torch."""
        arrays = {
            "mean": self.mean, "scale": self.scale,
            "weight": self.linear.weight, "bias": self.linear.bias,
        }  # fmt: skip
        if self.hidden is not None:
            arrays |= {
                "hidden_weight": self.hidden.weight, "hidden_bias": self.hidden.bias,
                "out_weight": self.out.weight,
            }  # fmt: skip
        values = {name: v.detach().cpu().numpy().copy() for name, v in arrays.items()}
        return Head(power=self.power, **values)

    def _tamed(self, x: Tensor) -> Tensor:
        return x if self.power == 1 else x.sign() * x.abs().pow(self.power)


class RetrieverModel(nn.Module):
    """Both heads and the temperature; its forward gives the loss of a batch of pairs.

    Args:
        pictures: features of the training pictures, (n, F).
        texts: base vectors of the training texts, (m, D).
        settings: of the heads and the loss.
    """

    def __init__(self, pictures: Array, texts: Array, settings: RetrieverSettings) -> None:
        super().__init__()
        self.pictures = TrainableHead(pictures, settings)
        self.texts = TrainableHead(texts, settings)
        self.sharpness = nn.Parameter(torch.tensor(log(1 / settings.temperature)))
        self.bias = nn.Parameter(torch.tensor(SIGMOID_BIAS))
        self.loss = settings.loss

    def forward(
        self, features: Tensor, texts: Tensor, groups: Tensor, which: Tensor
    ) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            features: of the pictures, (b, F).
            texts: base vectors of their texts, (b, D).
            groups: equal for the same picture and for near-duplicates, (b,).
            which: equal for equal texts, (b,).
        """
        seen, read = self.pictures(features), self.texts(texts)  # (b, d) each
        if is_initialized() and get_world_size() > 1:
            # Each process sees all pairs, so that two with 256 learn what one with 512 does.
            seen, read, groups, which = (
                torch.cat(all_gather(x))  # type: ignore[no-untyped-call]
                for x in (seen, read, groups, which)
            )
        positives = (groups[:, None] == groups) | (which[:, None] == which)  # (b, b)
        scores = self.sharpness.exp().clamp(max=SHARPEST) * seen @ read.T
        if self.loss == "sigmoid":
            loss = sigmoid_loss(scores, positives, self.bias)
        else:
            loss = info_nce(scores, positives) + 0 * self.bias  # used in every process
        return {"loss": loss}
