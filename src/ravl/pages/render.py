"""Templates to HTML, and pictures to data URIs."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ravl.data import pictures
from ravl.errors import PictureError
from ravl.memory import Memory, Row
from ravl.retrieval.query import open_picture

if TYPE_CHECKING:
    from jinja2 import Environment

DETAIL = 2  # a thumbnail is made at twice its side, for sharp screens


def render(template: str, **values: object) -> str:
    """A page from one of the templates beside this file; all values are escaped."""
    return str(_environment().get_template(template).render(**values))


def data_uri(picture: Image.Image, side: int = 160, hash: str | None = None) -> str:
    """A picture, at most ``side`` pixels on its longer side, for an ``src`` attribute.

    Args:
        picture: to show.
        side: in pixels.
        hash: of the picture's file. It stands in the address, so that ``ravl forget`` finds the
            pages that show a picture.
    """
    code = base64.b64encode(pictures.thumbnail(picture, side)).decode()
    return f"data:image/jpeg{f';hash={hash}' if hash else ''};base64,{code}"


def given_uri(given: pictures.Picture | str, side: int, detail: int = DETAIL) -> str:
    """A picture that is not of the memory as a data URI; arguments as of :func:`row_uri`.

    Raises:
        PictureError: the picture cannot be read.
    """
    hash = None
    if not isinstance(given, Image.Image):
        given = given if isinstance(given, bytes) else pictures.read_bytes(Path(given))
        hash = pictures.content_hash(given)
    return data_uri(open_picture(given, side * detail), side * detail, hash)


def row_uri(memory: Memory, row: Row, side: int, detail: int = DETAIL) -> str | None:
    """A row's picture as a data URI; None if the picture cannot be read.

    Args:
        memory: the memory of the row.
        row: the row of the picture.
        side: side of the thumbnail on the page, in pixels.
        detail: pixels of the thumbnail per pixel of the page.
    """
    try:
        return data_uri(memory.picture(row, hint=side), side * detail, row.hash)
    except PictureError:
        return None


def only_data(uri: str | None) -> None:
    """Check that the picture is inside the page.

    Raises:
        ValueError: it is no data URI.
    """
    if uri is not None and not uri.startswith("data:image/"):
        raise ValueError(f"A picture of a report must be a data URI, not {uri[:40]!r}.")


@lru_cache(1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("ravl.pages", "templates"), autoescape=True, undefined=StrictUndefined
    )
