"""The networks of a run: the one place where files become something that computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from ravl.encoders import Encoder

if TYPE_CHECKING:
    from ravl.encoders.base import Array
    from ravl.models.generation.base import ScoringGenerator


class PictureTower(Protocol):
    """A tower for pictures; see :class:`ravl.encoders.towers.vision.VisionTower`."""

    def prepare(self, picture: Image.Image) -> Array:
        """A picture as the tower takes it."""

    def features(self, prepared: Sequence[Array]) -> Array:
        """Features (n, F) of prepared pictures."""


class Networks(Protocol):
    """Opens the networks that a run's predictor asks; what they give has the same protocol.

    :class:`Torch` opens what was fitted, :class:`ravl.runtime.networks.OnnxNetworks` an export.
    """

    def reader(self, folder: Path, max_length: int) -> tuple[Any, Any]:
        """A fusion model, as a :class:`ravl.models.reader.Reader`, and its tokenizer.

        Args:
            folder: of its files.
            max_length: word pieces that are read of a text; 0 where none is read, and no tokenizer
                is needed.
        """

    def generator(self, folder: Path, max_new_tokens: int) -> ScoringGenerator:
        """The embedded generator, as a :class:`ravl.models.generation.fused.FusedGenerator`.

        Args:
            folder: of its files.
            max_new_tokens: tokens of a text.
        """

    def tower(self, folder: Path, encoder: Encoder) -> PictureTower:
        """A tuned tower, as a :class:`ravl.encoders.towers.vision.VisionTower`.

        Args:
            folder: of its files.
            encoder: that it was tuned from, or trained heads on that.
        """


class Torch:
    """The networks as they were fitted; imports torch when one is wanted."""

    def reader(self, folder: Path, max_length: int) -> tuple[Any, Any]:
        """See :class:`Networks`."""
        from ravl.models.reader import Reader
        from ravl.models.tokenizer import WordPieceTokenizer

        return Reader.load(folder), WordPieceTokenizer.load(
            folder, max_length
        ) if max_length else None

    def generator(self, folder: Path, max_new_tokens: int) -> ScoringGenerator:
        """See :class:`Networks`."""
        from ravl.models.generation.constraints import processors
        from ravl.models.generation.fused import FusedGenerator

        return FusedGenerator.load(folder, max_new_tokens, processors)

    def tower(self, folder: Path, encoder: Encoder) -> PictureTower:
        """See :class:`Networks`."""
        from ravl.encoders.towers.vision import VisionTower

        return VisionTower.load(folder, encoder)
