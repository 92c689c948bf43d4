"""The wide features of a memory's pictures, for which each is decoded once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders.base import Array, Encoder
from ravl.encoders.towers.vision import LARGEST, Maps
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.training.dual_encoder.pairs import FEWEST, Pairs, only
from ravl.training.vision.views import ViewSampler, keep_views


@dataclass(frozen=True)
class WideStem:
    """Prepared pictures to an encoder's wide features."""

    encoder: Encoder

    def prepare(self, picture: Image.Image) -> Array:
        """As the encoder does."""
        return self.encoder.prepare(picture)

    def stem(self, prepared: Sequence[Array]) -> Maps:
        """Prepared pictures (n) -> wide features alone, (n, R) float16."""
        found = self.encoder.wide_features(prepared)[:, self.encoder.feature_dimension :]
        return found.clip(-LARGEST, LARGEST).astype(np.float16)

    @property
    def stem_key(self) -> list[str]:
        """What the features depend on."""
        return ["wide", self.encoder.fingerprint.to_json(), str(self.encoder.wide_dimension)]


def look_wide(memory: Memory, pairs: Pairs, base: Encoder, work: Path, show: bool | None) -> Pairs:
    """The pairs whose picture can be decoded, with the wide features beside the stored ones.

    Args:
        memory: that the pictures are read from.
        pairs: of it.
        base: the encoder.
        work: folder of the features; a run that was interrupted goes on with them.
        show: a progress bar.

    Raises:
        DataError: hardly any picture can be decoded any more.
    """

    def load(i: int) -> Image.Image:
        return memory.picture(pairs.rows[i], hint=base.picture_size)

    positions = range(len(pairs.rows))
    kept = keep_views(WideStem(base), load, positions, ViewSampler(), work / "wide.npy", show)
    sound = np.setdiff1d(np.arange(len(pairs.rows)), kept.rejected)
    if len(sound) < FEWEST:
        raise DataError(
            f"{len(sound)} of the {len(pairs.rows):,} pictures with texts can still be read, and "
            f"their wide features take at least {FEWEST}. Have their files moved? Index them where "
            "they are now, or do without (--no-wide)."
        )
    if not kept.rejected:
        return replace(pairs, beside=kept.maps[:, 0])
    return replace(only(pairs, sound), beside=kept.maps[sound, 0])
