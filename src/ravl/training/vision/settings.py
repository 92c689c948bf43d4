"""What a user can choose when a vision tower is tuned."""

from __future__ import annotations

from dataclasses import dataclass

from ravl.encoders.towers.freezing import parse_strategy
from ravl.errors import DataError
from ravl.training.loop_settings import LoopSettings, check_bounds, check_shares


@dataclass(frozen=True, kw_only=True)
class VisionSettings(LoopSettings):
    """How to tune a vision tower.

    The defaults were chosen on photographs of clothes and on drawn dials (see
    ``benchmarks/fine_grained.py``) for a few minutes on two cores. The learning rate is that of
    the linear head on top; the tower learns at a tenth of it. Both are multiplied by
    :attr:`ravl.encoders.towers.vision.VisionTower.lr_scale`, so that one default suits
    all encoders.

    Args:
        strategy: see :func:`ravl.encoders.towers.freezing.parse_strategy`.
        label_smoothing: share of each target that is spread over all labels.
        dropout: of the head's inputs.
        augment: train on several views of each picture, not only the plain one.
        views: kept of each picture: plain, mirrored, the rest random crops. ``full`` does not
            need them: it crops anew each time.
        horizontal_flip: mirror images keep their label; False for writing, dials, and the like.
        smallest_crop: share of the picture's area that a crop has at least.
    """

    epochs: int = 5
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    strategy: str = "top:5"
    label_smoothing: float = 0.1
    dropout: float = 0.2
    augment: bool = True
    views: int = 3
    horizontal_flip: bool = True
    smallest_crop: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_strategy(self.strategy)
        check_bounds(self, 1, None, "views")
        check_shares(self, "dropout", "label_smoothing")
        if not 0 < self.smallest_crop <= 1:
            raise DataError(
                f"smallest_crop is {self.smallest_crop}; it must be more than 0, and at most 1."
            )
