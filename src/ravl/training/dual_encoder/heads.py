"""The trainable part of a retriever: a head for pictures and a head for texts, and towers."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed import get_world_size, is_initialized
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ravl.encoders.base import Array
from ravl.encoders.trained import Head
from ravl.models.batch import Batch
from ravl.training.dual_encoder.losses import distilled, info_nce, sigmoid_loss
from ravl.training.dual_encoder.material import SEEN, TrainingInputs
from ravl.training.dual_encoder.pairs import Ints
from ravl.training.dual_encoder.settings import RetrieverSettings

FLOOR = 1e-3  # of the features' spread; a feature that never varies tells nothing
PART = 32  # pictures or texts at once through a tower
SHARPEST = 100.0  # inverse temperature, as in CLIP
SIGMOID_BIAS = -10.0  # at the start, as in SigLIP


class TrainableHead(nn.Module):
    """Features (b, F) to unit vectors (b, d); becomes a :class:`ravl.encoders.trained.Head`.

    Args:
        features: of the training split, (n, F), from which it learns mean and spread; or the linear
            head that it begins as.
        settings: dimension, hidden size, dropout.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: Array | Head, settings: RetrieverSettings) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings.dropout)
        self.hidden: nn.Linear | None = None
        if isinstance(features, Head):
            self._begin_as(features)
            return
        # Features after a ReLU have long tails; a square root tames them (+1.3 points of R@10).
        self.power = 0.5 if features.min() >= 0 else 1.0
        x = self._tamed(torch.from_numpy(features))
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("scale", x.std(0, correction=0).clamp(min=FLOOR))
        self.linear = nn.Linear(features.shape[1], settings.dimension)
        if settings.hidden:
            self.hidden = nn.Linear(features.shape[1], settings.hidden)
            self.out = nn.Linear(settings.hidden, settings.dimension, bias=False)
            nn.init.zeros_(self.out.weight)  # begins as the linear head

    def _begin_as(self, head: Head) -> None:
        self.power = head.power
        self.register_buffer("mean", torch.from_numpy(head.mean))
        self.register_buffer("scale", torch.from_numpy(head.scale))
        self.linear = nn.Linear(head.inputs, head.dimension)
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.weight))
            self.linear.bias.copy_(torch.from_numpy(head.bias))

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
            "mean": self.mean,
            "scale": self.scale,
            "weight": self.linear.weight,
            "bias": self.linear.bias,
        }
        if self.hidden is not None:
            arrays |= {
                "hidden_weight": self.hidden.weight,
                "hidden_bias": self.hidden.bias,
                "out_weight": self.out.weight,
            }
        values = {name: v.detach().cpu().numpy().copy() for name, v in arrays.items()}
        return Head(power=self.power, **values)

    def _tamed(self, x: Tensor) -> Tensor:
        if self.power == 1:
            return x
        # A root has no finite slope at 0, where features after a ReLU often are.
        return x.sign() * (x.abs() + (x == 0)).pow(self.power)


class RetrieverModel(nn.Module):
    """Both heads, the towers that are tuned, and the temperature.

    Its forward gives the loss of a batch of pairs.

    Args:
        pictures: features of the training pictures, with those of a tuned tower behind, (n, F');
            or the head that is to begin with.
        texts: base vectors of the training texts, with those of a tuned tower behind, (m, D'); or
            the head that is to begin with.
        settings: of the heads and the loss.
        tail: of a vision tower that is tuned.
        reader: of a text tower that is tuned.
        sharpness: the teacher's inverse temperature.
    """

    def __init__(
        self,
        pictures: Array | Head,
        texts: Array | Head,
        settings: RetrieverSettings,
        tail: nn.Module | None = None,
        reader: nn.Module | None = None,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        self.pictures = TrainableHead(pictures, settings)
        self.texts = TrainableHead(texts, settings)
        self.tail, self.reader = tail, reader
        self.sharpness = nn.Parameter(torch.tensor(log(1 / settings.temperature)))
        self.bias = nn.Parameter(torch.tensor(SIGMOID_BIAS))
        self.loss = settings.loss
        self.teacher = settings.teacher_weight, sharpness
        self.cached = settings.gradient_cache

    def forward(
        self,
        features: Tensor,
        texts: Tensor,
        groups: Tensor,
        which: Tensor,
        place: Tensor | None = None,
        maps: Tensor | None = None,
        tokens: dict[str, Tensor] | None = None,
        taught: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            features: of the base, of the pictures, (u, F).
            texts: base vectors of their texts, (b, D).
            groups: equal for the same picture and for near-duplicates, (b,).
            which: equal for equal texts, (b,).
            place: of each pair's picture among the u, (b,); None for a picture each.
            maps: of the pictures, for a tuned vision tower, (u, ...).
            tokens: of the texts, for a tuned text tower, (b, t) each.
            taught: the teacher's vectors ``seen`` and ``read``, (b, T) each.
        """
        seen, read = self.see(features, maps), self.read(texts, tokens)
        seen = seen if place is None else seen[place]  # (b, d)
        taught = taught or {}
        if is_initialized() and get_world_size() > 1:
            # Each process sees all pairs, so that two with 256 learn what one with 512 does.
            seen, read, groups, which = map(_gathered, (seen, read, groups, which))
            taught = {name: _gathered(vectors) for name, vectors in taught.items()}
        positives = (groups[:, None] == groups) | (which[:, None] == which)  # (b, b)
        scores = self.sharpness.exp().clamp(max=SHARPEST) * seen @ read.T
        if self.loss == "sigmoid":
            loss = sigmoid_loss(scores, positives, self.bias)
        else:
            loss = info_nce(scores, positives) + 0 * self.bias  # used in every process
        if taught:
            weight, sharpness = self.teacher
            target = sharpness * taught["seen"] @ taught["read"].T
            loss = (1 - weight) * loss + weight * distilled(scores, target)
        return {"loss": loss}

    def see(self, features: Tensor, maps: Tensor | None = None) -> Tensor:
        """Pictures: features (n, F), and maps for a tuned tower -> unit vectors (n, d)."""
        if self.tail is not None and maps is not None:
            features = torch.cat([features, self._in_parts(self.tail, {"maps": maps})], 1)
        vectors: Tensor = self.pictures(features)
        return vectors

    def read(self, texts: Tensor, tokens: dict[str, Tensor] | None = None) -> Tensor:
        """Texts: base vectors (n, D), and tokens for a tuned tower -> unit vectors (n, d)."""
        if self.reader is not None and tokens is not None:
            own = F.normalize(self._in_parts(self.reader, tokens), dim=-1)
            texts = torch.cat([texts, own], 1)
        vectors: Tensor = self.texts(texts)
        return vectors

    @torch.inference_mode()
    def embed(self, material: TrainingInputs, pictures: Ints, which: Ints) -> tuple[Array, Array]:
        """Vectors of pictures (n, d) and texts (m, d), as the model is."""
        training = self.training
        self.eval()

        def run(
            chosen: Ints, take: Callable[[Ints], dict[str, Tensor]], net: Callable[..., Tensor]
        ) -> Array:
            size = SEEN if self.tail is not None or self.reader is not None else len(chosen)
            steps = range(0, len(chosen), max(1, size))
            parts = [
                net(**_to(take(chosen[i : i + size]), self.bias.device)).cpu().numpy()
                for i in steps
            ]
            return np.concatenate(parts)

        found = run(pictures, material.pictures, self.see), run(which, material.read, self.read)
        self.train(training)
        return found

    def _in_parts(self, network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        """Through a tower in parts, which is faster, and may save memory.

        With gradient caching (Gao et al. 2021, https://arxiv.org/abs/2101.06983) what is kept for
        the backward pass is that of one part, however large the batch is.
        """
        names, columns = list(inputs), [torch.split(x, PART) for x in inputs.values()]

        def run(*part: Tensor) -> Tensor:
            found: Tensor = network(**dict(zip(names, part, strict=True)))
            return found

        if not self.cached or not torch.is_grad_enabled():
            return torch.cat([run(*part) for part in zip(*columns, strict=True)])
        parts = [checkpoint(run, *part, use_reentrant=False) for part in zip(*columns, strict=True)]
        return torch.cat(parts)


def _gathered(x: Tensor) -> Tensor:
    """All processes' parts of a batch, (processes * b, ...)."""
    return torch.cat(all_gather(x))  # type: ignore[no-untyped-call]


def _to(inputs: Batch, device: torch.device) -> Batch:
    return {
        name: _to(value, device) if isinstance(value, dict) else value.to(device)
        for name, value in inputs.items()
    }
