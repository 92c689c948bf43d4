"""Features of pictures by a fine-tuned tower, and the live view of a memory as it sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.errors import PictureError
from ravl.hashes import hash_of
from ravl.kept_vectors import PICTURES, kept_vectors
from ravl.memory import Memory, Row
from ravl.progress import progress_bar
from ravl.retrieval.live import Followed, Stored, View
from ravl.runs.networks import PictureTower
from ravl.store.blocks import Blocks

BLOCK = 64  # pictures of a pass
SHOWN = 256  # pictures from which a bar shows how far it is


def look(
    tower: PictureTower,
    load: Callable[[int], Image.Image],
    count: int,
    width: int,
    show: bool | None,
) -> Array:
    """Features (count, F); zeros for a picture that cannot be read any more.

    Args:
        tower: that looks.
        load: the picture at a position; may raise PictureError.
        count: of pictures.
        width: F.
        show: a progress bar.
    """
    parts: list[Array] = []

    def prepare(i: int) -> Array | None:
        try:
            return tower.prepare(load(i))
        except PictureError:
            return None

    with ThreadPoolExecutor(2, "decode") as pool, progress_bar("Looking", "pictures", show) as bar:
        for start in range(0, count, BLOCK):
            prepared = list(pool.map(prepare, range(start, min(start + BLOCK, count))))
            seen = [p for p in prepared if p is not None]
            found = iter(tower.features(seen)) if seen else iter(())
            parts += [np.zeros(width, np.float32) if p is None else next(found) for p in prepared]
            bar(len(prepared), count)
    return np.stack(parts).astype(np.float32) if parts else np.zeros((0, width), np.float32)


def features_of_rows(
    memory: Memory, tower: Callable[[], PictureTower], name: str, rows: list[Row], show: bool | None
) -> Array:
    """Features (n, F) of a memory's rows; those that were made before are in ravl's cache.

    Args:
        memory: of the rows.
        tower: gives the tower, when it is needed.
        name: of the tower's weights: another one for others.
        rows: n of them.
        show: a progress bar.
    """
    encoder = memory.encoder
    width, side = encoder.feature_dimension, encoder.picture_size

    def make(positions: list[int]) -> Array:
        if not positions:
            return np.zeros((0, width), np.float32)
        some = [rows[i] for i in positions]
        return look(tower(), lambda i: memory.picture(some[i], hint=side), len(some), width, show)

    contents = [(row.hash or row.id).encode("utf-8", "replace") for row in rows]
    return kept_vectors(PICTURES, name, contents, make)


def name_of_tower(folder: Path) -> str:
    """A name for the weights of a tower in a folder: another one for others.

    Raises:
        OSError: a file of it cannot be read.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    hashes = [f"{file.relative_to(folder).as_posix()} {hash_of(file).sha256}" for file in files]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:32]


class TunedView(Followed[View]):
    """The live view of a memory with the features of a tuned tower; a new row is looked at once.

    Args:
        memory: to follow.
        tower: gives the tower, when it is needed.
        name: of the tower's weights.
        inner: what else is derived of the rows; None for nothing.
    """

    def __init__(
        self,
        memory: Memory,
        tower: Callable[[], PictureTower],
        name: str,
        inner: Followed[View] | None = None,
    ) -> None:
        super().__init__()
        self._memory, self._tower, self._name, self._inner = memory, tower, name, inner

    def follow(self, known: tuple[View, View] | None, view: View) -> View:
        """Only rows whose pictures are new are looked at."""
        base = view if self._inner is None else self._inner.at(view)
        edit = view.seen_since(known[0] if known else None)
        rows = view.rows_at(edit.added)
        show = None if len(rows) >= SHOWN else False
        fresh = features_of_rows(self._memory, self._tower, self._name, rows, show)
        fresh = fresh.astype(np.float16)
        if known is None:
            return replace(base, features=Stored(Blocks.of(fresh)))
        old = known[1].features
        assert isinstance(old, Stored)
        return replace(base, features=Stored(old.blocks.edited(edit, fresh)))
