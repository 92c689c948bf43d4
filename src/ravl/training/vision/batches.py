"""Batches of kept views for tuning a vision tower: a view of every picture, once an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset, Sampler

from ravl.encoders.base import Array
from ravl.encoders.towers.vision import Maps
from ravl.training.vision.views import ViewSampler, crop_box

DRAWS = 2**20  # different crops of a picture where they are made anew


class ViewData(Dataset[dict[str, Tensor]]):
    """Kept views as batches of tensors; an item is ``picture * draws + view``.

    Args:
        maps: (n, views, ...); uint8 pixels are cropped anew by each number of a view but 0.
        targets: (n, C).
        views: how to crop.
    """

    def __init__(self, maps: Maps, targets: Array, views: ViewSampler) -> None:
        self._maps, self._targets, self._views = maps, torch.from_numpy(targets), views
        self.draws = DRAWS if maps.dtype == np.uint8 else maps.shape[1]

    def __len__(self) -> int:
        return len(self._maps)

    def __getitems__(self, items: Sequence[int]) -> dict[str, Tensor]:
        """A whole batch at once: maps (b, ...) and targets (b, C)."""
        pictures, views = np.divmod(np.asarray(items), self.draws)
        if self.draws == DRAWS:
            maps = torch.stack(
                [self._crop(int(p), int(v)) for p, v in zip(pictures, views, strict=True)]
            )
        else:
            maps = torch.from_numpy(
                np.stack([self._maps[p, v] for p, v in zip(pictures, views, strict=True)])
            )
        return {"maps": maps, "targets": self._targets[pictures]}

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        return self.__getitems__([item])

    def _crop(self, picture: int, draw: int) -> Tensor:
        """A part of the pixels (3, H, W), enlarged to their size; all of them for draw 0."""
        pixels = torch.from_numpy(self._maps[picture, 0].copy())
        if not draw:
            return pixels
        random = np.random.default_rng([self._views.seed, picture, draw])
        size = pixels.shape[1], pixels.shape[2]
        left, top, right, bottom = crop_box((size[1], size[0]), self._views.smallest, random)
        part = pixels[None, :, top:bottom, left:right]
        part = F.interpolate(part, size, mode="bilinear", antialias=True)[0]
        return part.flip(2) if self._views.horizontal_flip and random.random() < 0.5 else part


class ViewOrder(Sampler[int]):
    """All training pictures in random order, each in one of its views.

    Args:
        pictures: positions among the kept ones.
        draws: how many views there are of each; only the plain one where ``augment`` is False.
        augment: see there.
        seed: the epoch is added.
    """

    def __init__(self, pictures: Sequence[int], draws: int, augment: bool, seed: int) -> None:
        self._pictures = np.asarray(pictures)
        self._draws, self._augment, self._seed = draws, augment, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer, so that a resumed run has the order it would have had."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self._epoch])
        order = random.permutation(self._pictures)
        views = random.integers(0, self._draws if self._augment else 1, len(order))
        yield from (order * self._draws + views).tolist()
