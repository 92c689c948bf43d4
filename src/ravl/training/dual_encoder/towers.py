"""Towers that are tuned with the retriever's heads: what is made ready, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ravl.encoders.base import Array, Encoder
from ravl.encoders.towers.text import TextTower
from ravl.encoders.towers.vision import Maps, VisionTower
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.training.dual_encoder.material import SEEN, TrainingInputs
from ravl.training.dual_encoder.pairs import FEWEST, Ints, Pairs, only
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.vision.views import ViewSampler, keep_views

MIRRORED = 2  # views kept of a picture: plain, and its mirror image


def with_towers(
    memory: Memory,
    pairs: Pairs,
    base: Encoder,
    settings: RetrieverSettings,
    work: Path,
    show: bool | None,
) -> tuple[Pairs, VisionTower | None, Maps | None, TextTower | None]:
    """The towers that the settings name, and the maps that a frozen stem made of the pictures.

    Args:
        memory: that the pictures are read from, once more than for the frozen features.
        pairs: of it.
        base: the encoder below.
        settings: see there.
        work: folder for the maps; a run that was interrupted goes on with them.
        show: a progress bar.

    Raises:
        DataError: hardly any picture can be decoded any more.

    Returns:
        The pairs whose picture could be decoded, and what is None where nothing is tuned.
    """
    text = TextTower(base, settings.tune_text) if settings.tune_text != "head" else None
    if settings.tune_vision == "head":
        return pairs, None, None, text
    tower = VisionTower(base, settings.tune_vision, settings.vision_side)

    def load(i: int) -> Image.Image:
        return memory.picture(pairs.rows[i], hint=base.picture_size)

    views = ViewSampler(
        MIRRORED if settings.horizontal_flip and settings.tune_vision != "full" else 1
    )
    kept = keep_views(tower, load, range(len(pairs.rows)), views, work / "maps.npy", show)
    if not kept.rejected:
        return pairs, tower, kept.maps, text
    sound = np.setdiff1d(np.arange(len(pairs.rows)), kept.rejected)
    if len(sound) < FEWEST:
        raise DataError(
            f"{len(sound)} of the {len(pairs.rows):,} pictures with texts can still be read, and "
            f"tuning the picture network takes at least {FEWEST}. Have their files moved? Index "
            "them where they are now, or train the heads alone (--tune-vision head)."
        )
    return only(pairs, sound), tower, kept.maps[sound], text


def starting(material: TrainingInputs, pictures: Ints, which: Ints) -> tuple[Array, Array]:
    """What the heads begin from: pictures (n, F') and texts (m, D'), with the towers' behind."""
    seen, read = material.pairs.seen(pictures, beside=True), material.texts[which]
    if material.vision is not None and material.maps is not None:
        seen = np.hstack([seen, looked(material.vision, material.maps, pictures)])
    if material.text is not None:
        words = [material.pairs.texts[i] for i in which.tolist()]
        read = np.hstack([read, material.text.features(words)])
    return seen, read


@torch.inference_mode()
def looked(tower: VisionTower, maps: Maps, pictures: Ints) -> Array:
    """Features (n, F) that a tower makes of the plain views of some pictures."""
    parts = [
        tower.tail(torch.from_numpy(np.stack([maps[p, 0] for p in pictures[i : i + SEEN]])))
        for i in range(0, len(pictures), SEEN)
    ]
    return torch.cat(parts).cpu().numpy()


def seen_by(pairs: Pairs, tower: VisionTower | None, maps: Maps | None) -> Pairs:
    """The pairs with the features that a tuned tower makes of their pictures."""
    if tower is None or maps is None:
        return pairs
    return replace(pairs, beside=looked(tower, maps, np.arange(len(pairs.rows))))
