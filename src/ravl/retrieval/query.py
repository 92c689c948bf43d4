"""Queries: a text, a picture, a row of the memory, or a text together with one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ravl.data import pictures
from ravl.data.pictures import Picture
from ravl.data.text import nfc
from ravl.encoders.base import Array, Encoder, Side, normalise
from ravl.errors import PictureError, QueryError
from ravl.store.collection import Collection
from ravl.store.vectors import Vectors
from ravl.timing import step

SAMPLE = 4096  # vectors from which the spread of a query's scores is estimated


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for.

    Args:
        text: words or a description.
        image: a picture file, encoded bytes, or a PIL picture.
        like: id of a row whose picture to use, instead of ``image``.
        weight: of the text against the picture when both are given, 0 to 1.
    """

    text: str | None = None
    image: Picture | str | None = None
    like: str | None = None
    weight: float = 0.5

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise QueryError("The query text is empty. Give words, or leave it out for a picture.")
        if self.image is not None and self.like is not None:
            raise QueryError("Give a picture or the id of a row (like), not both.")
        if self.text is None and not self.pictured:
            raise QueryError("The query is empty. Give a text, a picture, or both.")
        if not 0 <= self.weight <= 1:
            raise QueryError(f"The text's weight is {self.weight:g}; it must lie between 0 and 1.")

    @property
    def pictured(self) -> bool:
        """True if there is a picture in it."""
        return self.image is not None or self.like is not None


@step("encode")
def embed_queries(
    memory: Collection, queries: Sequence[Query], vectors: Vectors
) -> tuple[Array, Array]:
    """Vectors (q, d) of queries, and the features (p, F) of the p queries that have a picture.

    All texts and all pictures go through their network together.

    Scores of pictures against pictures spread far wider than scores of texts against pictures.
    For a query with both, each part is divided by the spread of its scores over the memory, so
    that ``weight`` means what it says.
    """
    texts = [nfc(q.text) for q in queries if q.text is not None]
    seen = [q for q in queries if q.pictured]
    asked: dict[Side, bool] = {
        "texts": bool(texts),
        "pictures": any(q.image is not None for q in seen),
    }
    encoder = memory.encoder_for(*(side for side in asked if asked[side]))
    of_text = iter(encoder.embed_texts(texts))
    features, pictures = _see_pictures(memory, encoder, seen)
    of_picture = iter(pictures)
    out = np.zeros((len(queries), encoder.dimension), np.float32)
    for i, query in enumerate(queries):
        text = next(of_text) if query.text is not None else None
        picture = next(of_picture) if query.pictured else None
        if text is not None and picture is not None:
            out[i] = query.weight * text / _spread(vectors, text)
            out[i] += (1 - query.weight) * picture / _spread(vectors, picture)
        else:
            out[i] = text if text is not None else picture
    return normalise(out), features


def _see_pictures(
    memory: Collection, encoder: Encoder, queries: Sequence[Query]
) -> tuple[Array, Array]:
    """Features (p, F) and vectors (p, d) of the queries' pictures."""
    # The same decoding as when the memory was indexed, or equal pictures would differ.
    opened = [open_picture(q.image, encoder.picture_size) for q in queries if q.image is not None]
    seen = zip(*encoder.encode_pictures(opened), strict=True)
    rows = [_kept_of(memory, q.like) if q.like is not None else next(seen) for q in queries]
    if not rows:
        return np.zeros((0, 0), np.float32), np.zeros((0, encoder.dimension), np.float32)
    return np.stack([features for features, _ in rows]), np.stack([vector for _, vector in rows])


@step("decode")
def open_picture(image: Picture | str, hint: int | None = None) -> Image.Image:
    """A query's picture, RGB and upright.

    Raises:
        PictureError: it cannot be read or decoded.
    """
    return pictures.decode(Path(image) if isinstance(image, str) else image, hint=hint)


def open_pictures(images: Sequence[Picture | str], hint: int | None = None) -> list[Image.Image]:
    """Several pictures, each as :func:`open_picture` opens it.

    Raises:
        PictureError: one cannot be read; the message says which one of how many.
    """
    opened = []
    for i, image in enumerate(images):
        try:
            opened.append(open_picture(image, hint))
        except PictureError as error:
            raise error.among(i, len(images)) from error
    return opened


def _kept_of(memory: Collection, id: str) -> tuple[Array, Array]:
    number = memory.get(id).number
    features = memory.store.vectors.read("features", [number]).get(number)
    vector = memory.store.vectors.read("vectors", [number]).get(number)
    if features is None or vector is None:
        raise QueryError(f"The row {id!r} has no picture to search with.")
    return features, vector


def _spread(vectors: Vectors, vector: Array) -> float:
    """Standard deviation of a query's scores over (a sample of) the memory."""
    count = len(vectors.keys)
    sample = vectors.blocks[np.arange(0, count, max(1, count // SAMPLE))].astype(np.float32)
    return max(float(np.std(sample @ vector)), 1e-6) if len(sample) > 1 else 1.0
