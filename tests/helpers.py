"""What many tests need: pictures, examples, and an encoder that is quick and transparent."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ravl.data import Example
from ravl.encoders.base import Array, Encoder, normalise
from ravl.encoders.trained import Head, TrainedEncoder
from ravl.memory import Memory
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.database import Database

SHARED = Path(__file__).parents[2] / "shared" / "data"  # real picture sets, beside the checkout

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 210),
    "yellow": (240, 220, 40),
    "black": (15, 15, 15),
    "white": (245, 245, 245),
    "purple": (130, 40, 160),
    "orange": (250, 140, 20),
}


def shared_set(name: str) -> Path:
    """The folder of a shared picture set; skips the test where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the shared picture set {name} is not on this machine")
    return folder


class ColourEncoder(Encoder):
    """Sees the colours of a 4 x 4 grid, and reads colour words: everything about it is known.

    Args:
        turn: rotates the space, which makes another encoder of the same network.
        mirror: look at pictures from behind: the same network, other preprocessing.
    """

    spec = "colour"
    dimension = 48
    feature_dimension = 48
    picture_size = 16
    batch_size = 8

    def __init__(self, turn: int = 0, mirror: bool = False) -> None:
        self.turn = turn
        self.mirror = mirror
        self.looked = 0  # pictures that went through the network
        self.read = 0  # texts

    def prepare(self, picture: Image.Image) -> Array:
        side = self.picture_size
        small = picture.resize((side, side), Image.Resampling.BOX)
        if self.mirror:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels: Array = np.asarray(small, np.float32).transpose(2, 0, 1) / np.float32(255)
        return pixels

    def features(self, prepared: Sequence[Array]) -> Array:
        self.looked += len(prepared)
        if not prepared:
            return np.zeros((0, 48), np.float32)
        x, c = np.stack(prepared), self.picture_size // 4
        means: Array = x.reshape(len(x), 3, 4, c, 4, c).mean((3, 5)).reshape(len(x), 48) - 0.5
        return means

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        return self.features(prepared).reshape(len(prepared), 3, 16).transpose(0, 2, 1)

    def project(self, features: Array) -> Array:
        return np.roll(normalise(features), self.turn, axis=1)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        self.read += len(texts)
        vectors = np.zeros((len(texts), 48), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                if word in COLOURS:
                    vector += np.repeat(np.array(COLOURS[word]) / 255 - 0.5, 16)
            # Other words leave a trace, so that no two texts are the same.
            noise = np.random.default_rng(zlib.crc32(text.encode("utf-8", "replace")))
            vector += 0.01 * noise.normal(size=48)
        return np.roll(normalise(vectors), self.turn, axis=1)


def random_head(features: int, seed: int = 0, dimension: int = 32, hidden: int = 0) -> Head:
    """A head of random weights: nearly keeps what is near, and is the same for the same seed."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"weight": (dimension, features)}
    if hidden:
        shapes |= {"hidden_weight": (hidden, features), "out_weight": (dimension, hidden)}
        shapes |= {"hidden_bias": (hidden,)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    arrays |= {"mean": np.zeros(features, np.float32), "scale": np.ones(features, np.float32)}
    return Head.from_arrays({**arrays, "bias": np.zeros(dimension, np.float32)}, power=1.0)


def trained_on(
    base: Encoder, seed: int = 0, share: float = 0.5, hidden: int = 0, text_share: float = 1.0
) -> TrainedEncoder:
    """An encoder with random heads; on a ColourEncoder, both heads are the same."""
    picture, text = (
        random_head(features, seed, hidden=hidden)
        for features in (base.feature_dimension, base.dimension)
    )
    return TrainedEncoder(base, picture, text, share, text_share)


def draw(seed: int, colour: str, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture of mostly one colour, different for every seed."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", size, COLOURS[colour])
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        shade = tuple(int(v) for v in rng.integers(0, 255, 3))
        width, height = rng.integers(4, 14, 2).tolist()
        pen.rectangle((x, y, x + width, y + height), fill=shade)
    return picture


def make_pictures(folder: Path, count: int = 16) -> list[Path]:
    """So many picture files, coloured in turn: ``red_000.png``, ``green_001.png`` ..."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(COLOURS)
    paths = []
    for i in range(count):
        colour = names[i % len(names)]
        path = folder / f"{colour}_{i:03d}.png"
        draw(i, colour).save(path)
        paths.append(path)
    return paths


def make_examples(folder: Path, count: int = 16) -> list[Example]:
    """The same as examples, with texts, labels, tags and columns."""
    return [
        Example(
            id=path.name,
            picture=path,
            texts=(f"a {path.name.split('_')[0]} picture", f"number {i}"),
            label=path.name.split("_")[0],
            tags=("even" if i % 2 == 0 else "odd", f"tag{i % 3}"),
            columns={"price": i, "shop": "north" if i < count // 2 else "south"},
        )
        for i, path in enumerate(make_pictures(folder, count))
    ]


def is_root() -> bool:
    """True where file permissions stop nobody."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def database_of(memory: Memory) -> Database:
    """The SQLite file of a memory, to look at it or to damage it."""
    assert isinstance(memory.store, SqliteStore)
    return memory.store.database
