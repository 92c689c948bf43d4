"""Views of pictures for training, through the frozen stem once, and kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageOps

from ravl.encoders.base import Array
from ravl.encoders.towers.vision import Maps
from ravl.errors import PictureError
from ravl.files.whole_file import write_text
from ravl.progress import progress_bar

BLOCK = 32  # pictures between two notes of how far it came
THREADS = 2
RATIO = 4 / 3  # of a crop's sides, at most

Load = Callable[[int], Image.Image]
"""Position -> RGB picture, or PictureError; called from several threads."""


@dataclass(frozen=True, slots=True)
class ViewSampler:
    """Which views of a picture are kept: the plain one, its mirror image, and random crops.

    Args:
        count: of views, at least 1.
        horizontal_flip: mirror images keep their label; False for writing, dials, and the like.
        smallest: share of the picture's area that a crop has at least.
        seed: of the crops.
    """

    count: int = 1
    horizontal_flip: bool = True
    smallest: float = 0.5
    seed: int = 0

    def of(self, picture: Image.Image, position: int) -> Iterator[Image.Image]:
        """The views of one picture, ``count`` of them, the plain one first."""
        random = np.random.default_rng([self.seed, position])
        yield picture
        for i in range(1, self.count):
            view = picture
            if i > 1 or not self.horizontal_flip:
                view = picture.crop(crop_box(picture.size, self.smallest, random))
                if self.horizontal_flip and random.random() < 0.5:
                    view = ImageOps.mirror(view)
            else:
                view = ImageOps.mirror(picture)
            yield view


def crop_box(
    size: tuple[int, int], smallest: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """A random part of a picture (Szegedy et al. 2015, https://arxiv.org/abs/1409.4842).

    Args:
        size: width and height.
        smallest: share of the area, at least; drawn evenly from there to 1.
        random: draws area, ratio of the sides and place.

    Returns:
        Left, top, right, bottom.
    """
    share = random.uniform(smallest, 1)
    stretch = np.exp(random.uniform(-1, 1) * np.log(RATIO) / 2)
    width, height = size
    w = int(np.clip(round(width * np.sqrt(share) * stretch), 1, width))
    h = int(np.clip(round(height * np.sqrt(share) / stretch), 1, height))
    left, top = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
    return left, top, left + w, top + h


@dataclass(frozen=True, eq=False)
class CachedViews:
    """What the stem made of the views of pictures.

    Args:
        maps: (n, views, ...), memory-mapped; zeros for rejected pictures.
        rejected: indices among the n of pictures that could not be decoded.
    """

    maps: Maps
    rejected: list[int]


class Stem(Protocol):
    """What makes maps of pictures: a tower's frozen part, or another frozen network."""

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> the network's input (3, H, W)."""

    def stem(self, prepared: Sequence[Array]) -> Maps:
        """Prepared pictures (n, each (3, H, W)) -> what is kept of them, (n, ...)."""

    @property
    def stem_key(self) -> list[str]:
        """What the maps depend on."""


def keep_views(
    tower: Stem,
    load: Load,
    positions: Sequence[int],
    views: ViewSampler,
    file: Path,
    show: bool | None,
) -> CachedViews:
    """Run the stem over all views of pictures, or go on where the same call was interrupted.

    Args:
        tower: whose stem is run, or another stem.
        load: gives a picture.
        positions: of the pictures, (n,).
        views: of each picture.
        file: ``.npy``, with a ``.json`` beside it that says how much of it is done.
        show: a progress bar, None for only on a terminal.
    """
    store = _Store(file, _key(tower, positions, views), (len(positions), views.count))

    def look(position: int) -> list[Array] | None:
        try:
            return [tower.prepare(v) for v in views.of(load(position), position)]
        except PictureError:
            return None

    with progress_bar("Looking", "pictures", show) as advance:
        advance(store.done, len(positions))
        for block in _ahead(look, positions, store.done):
            found = [view for x in block if x is not None for view in x]
            store.add([x is not None for x in block], tower.stem(found) if found else None)
            advance(len(block), len(positions))
    return store.kept()


class _Store:
    """The file of maps, and the note beside it that says how much of it is done.

    Args:
        file: of the maps.
        key: identifies what they are; maps of another key are not used.
        shape: pictures and views.
    """

    def __init__(self, file: Path, key: str, shape: tuple[int, int]) -> None:
        self._file, self._note, self._shape = file, file.with_suffix(".json"), shape
        self._key = key
        self.done, self._rejected = self._read_note()
        self._maps: Any = np.load(file, mmap_mode="r+") if self.done else None

    def add(self, sound: list[bool], made: Maps | None) -> None:
        """Keep a block: which pictures could be decoded, and the maps of all views of these."""
        rows = range(self.done, self.done + len(sound))
        self._rejected += [row for row, is_sound in zip(rows, sound, strict=True) if not is_sound]
        self.done = rows.stop
        if made is not None:
            inner = made.shape[1:]
            if self._maps is None:
                shape = (*self._shape, *inner)
                self._maps = np.lib.format.open_memmap(self._file, "w+", made.dtype, shape)
            kept = [row for row, is_sound in zip(rows, sound, strict=True) if is_sound]
            self._maps[kept] = made.reshape(len(kept), self._shape[1], *inner)
            self._maps.flush()
        if self._maps is not None:  # before that there is no file to go on with
            self._write_note()

    def kept(self) -> CachedViews:
        """What is done."""
        maps = self._maps if self._maps is not None else np.zeros((*self._shape, 1), np.float16)
        return CachedViews(maps, self._rejected)

    def _read_note(self) -> tuple[int, list[int]]:
        try:
            known = json.loads(self._note.read_text("utf-8"))
        except (OSError, ValueError):
            return 0, []
        if known.get("key") != self._key or not self._file.exists():
            return 0, []
        return known["done"], known["rejected"]

    def _write_note(self) -> None:
        known = {"key": self._key, "done": self.done, "rejected": self._rejected}
        write_text(self._note, json.dumps(known))


def _ahead(
    look: Callable[[int], list[Array] | None], positions: Sequence[int], done: int
) -> Iterator[list[list[Array] | None]]:
    """Blocks of prepared pictures, the next one in the making while one is used."""
    parts = [positions[i : i + BLOCK] for i in range(done, len(positions), BLOCK)]
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: list[list[Future[list[Array] | None]]] = []
        for part in [*parts, []]:
            waiting.append([pool.submit(look, position) for position in part])
            if len(waiting) == 2:
                yield [future.result() for future in waiting.pop(0)]


def _key(tower: Stem, positions: Sequence[int], views: ViewSampler) -> str:
    parts = [*tower.stem_key, list(positions), repr(views)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
