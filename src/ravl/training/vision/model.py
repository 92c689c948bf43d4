"""What learns when a vision tower is tuned: the tower's tail, with a linear head on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ravl.encoders.base import Array
from ravl.encoders.towers.vision import VisionTower
from ravl.evaluation.ranking import average_precision
from ravl.models.linear import LinearHead, Loss, Standardizer, torch_loss
from ravl.training.vision.batches import ViewData

SOFT = 1e-4  # added below a square root, whose slope would be infinite at 0
SCORED = 16  # pictures at once without gradients


class VisionModel(nn.Module):
    """Kept maps to features to logits; its forward gives the loss of a batch.

    Args:
        tower: whose tail learns.
        head: that the linear head starts from; its standardisation of the features stays.
        loss: what is made small.
        dropout: of the head's inputs.
    """

    mean: Tensor
    scale: Tensor
    weights: Tensor

    def __init__(self, tower: VisionTower, head: LinearHead, loss: Loss, dropout: float) -> None:
        super().__init__()
        self.tail = tower.tail
        self.power = head.standard.power
        classes = len(head.bias)
        weights = np.ones(classes, np.float32) if loss.weights is None else loss.weights
        self.register_buffer("mean", torch.from_numpy(head.standard.mean))
        self.register_buffer("scale", torch.from_numpy(head.standard.scale))
        self.register_buffer("weights", torch.from_numpy(weights))
        self.head = nn.Linear(len(head.standard.mean), classes)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))
        self.dropout = nn.Dropout(dropout)
        self.exclusive = loss.exclusive
        self.to(tower.device)

    def forward(self, maps: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            maps: what the stem made of pictures, (b, ...).
            targets: smoothed, (b, C).
        """
        return {"loss": torch_loss(self.logits(maps), targets, self.exclusive, self.weights)}

    def logits(self, maps: Tensor) -> Tensor:
        """What the stem made of pictures (b, ...) -> logits (b, C)."""
        features = self.tail(maps)  # (b, F)
        if self.power != 1.0:
            features = features.sign() * (features.abs() + SOFT) ** self.power
        logits: Tensor = self.head(self.dropout((features - self.mean) / self.scale))
        return logits

    def export(self, decay: float) -> LinearHead:
        """The linear head as plain arrays.

        Args:
            decay: to note, that the head it started from was fitted with.
        """
        arrays = (self.mean, self.scale, self.head.weight, self.head.bias)
        mean, scale, weight, bias = (x.detach().cpu().numpy().copy() for x in arrays)
        return LinearHead(Standardizer(self.power, mean, scale), weight, bias, decay)

    @property
    def tuned(self) -> list[nn.Parameter]:
        """What learns of the tower."""
        return [p for p in self.tail.parameters() if p.requires_grad]


@torch.inference_mode()
def outputs(module: nn.Module, data: ViewData, pictures: Sequence[int]) -> Array:
    """What a module, in eval mode, makes of the plain views of pictures: (n, ...).

    Args:
        module: takes kept maps, such as a tail or :meth:`VisionModel.logits`.
        data: of the pictures.
        pictures: positions in it.
    """
    found = []
    device = next(module.buffers()).device
    call = module.logits if isinstance(module, VisionModel) else module
    for i in range(0, len(pictures), SCORED):
        items = [p * data.draws for p in pictures[i : i + SCORED]]
        found.append(call(data.__getitems__(items)["maps"].to(device)).cpu().numpy())
    return np.concatenate(found)


def score(logits: Array, targets: Array, exclusive: bool) -> float:
    """Accuracy of labels, or mean average precision of tags.

    Args:
        logits: (n, C).
        targets: (n, C).
        exclusive: one label a picture.
    """
    if exclusive:
        return float((logits.argmax(1) == targets.argmax(1)).mean())
    true = (targets > 0.5).astype(np.int64)
    value = average_precision(logits.astype(np.float64), true)(np.ones(len(logits)))
    return 0.0 if np.isnan(value) else value
