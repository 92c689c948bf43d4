"""Decoding pictures: the one place where untrusted bytes become pixels.

Whatever comes in, :func:`decode` hands back an upright 8-bit RGB picture or raises
:class:`~ravl.errors.PictureError` with a sentence; no other exception, no half-grey picture.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ravl.errors import PictureError

MAX_PIXELS = 100_000_000
"""Pixels (width x height) a picture may have: decoded, this many take 400 MB."""
MAX_BYTES = 256 * 2**20
"""Bytes a picture's file may have."""

FORMATS = "JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF and PPM"

_HEAD = 1024  # bytes that are enough to tell formats apart
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_bomb_filter = threading.Lock()

# The classes are called directly, not through `Image.open`: it would try other decoders (EPS
# starts Ghostscript), warn about sizes that are allowed here, and read the second picture's
# header of an MPO, which is an ordinary JPEG with more pictures behind it.
_READERS: tuple[tuple[re.Pattern[bytes], type[ImageFile.ImageFile]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    (re.compile(rb"GIF8[79]a"), GifImagePlugin.GifImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImagePlugin.WebPImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImagePlugin.TiffImageFile),
    (re.compile(rb"....ftyp(avif|avis|(mif1|msf1).{4,60}avi[fs])", re.DOTALL), AvifImagePlugin.AvifImageFile),
    (re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL), BmpImagePlugin.BmpImageFile),
    (re.compile(rb"P[1-6f]\s"), PpmImagePlugin.PpmImageFile),
)
_FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg).*<svg|\s*<svg", re.DOTALL | re.I), "an SVG drawing"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"\0\0[\1\2]\0"), "an icon"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "a PostScript file"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"....ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\s*(<!doctype html|<html)", re.I), "a web page, as a failed download leaves it"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What a picture's header says.

    Args:
        width: in pixels, once upright.
        height: in pixels, once upright.
        format: "JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF" or "PPM", by content.
    """

    width: int
    height: int
    format: str


def read_bytes(source: Path | bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """The encoded bytes of a picture.

    Args:
        source: a file, or the bytes themselves.
        max_bytes: more than this many are refused, before they are read.

    Raises:
        PictureError: missing, a folder, a device, unreadable, empty or too large.
    """
    data = source if isinstance(source, bytes) else _read_file(source, max_bytes)
    if not data:
        raise PictureError(f"{_name(source)} is empty (0 bytes). Copy or download it again.")
    if len(data) > max_bytes:
        raise PictureError(_too_many_bytes(_name(source), len(data), max_bytes))
    return data


def decode(
    source: Path | bytes | Image.Image, *, hint: int | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """An upright 8-bit RGB picture, the first one of an animation, transparency on white.

    The content decides the format, not the file's name. Deeper greyscale is scaled to 8 bits:
    16-bit pictures by their full scale (or that of the 9 to 12 bits they use), 32-bit integers and
    floats from their lowest to their highest value unless floats lie in 0 to 1.

    Args:
        source: a file, encoded bytes, or a picture, which is returned itself if nothing is to do.
        hint: shortest side in pixels that the caller needs. JPEGs are then decoded at 1/2, 1/4 or
            1/8 of their size as long as the short side keeps twice that; ``None`` is full size.
            Pixels change slightly with it, so use one value for all that is to be compared.
        max_pixels: larger pictures are refused by their header, before a pixel is decoded.

    Raises:
        PictureError: not readable, not a picture, too large, truncated or damaged.
    """
    name = _name(source)
    if isinstance(source, Image.Image):
        return _finish(source, name, None, max_pixels)
    data = read_bytes(source)
    with _open(io.BytesIO(data), name) as image:
        try:
            picture = _finish(image, name, hint, max_pixels)
        except PictureError as error:
            cut = not isinstance(error, TooManyPixels) and _is_cut(data, image.format or "")
            raise _truncated(name, len(data)) if cut else error
    picture.info = {}  # upright and opaque now: its EXIF and transparency no longer hold
    return picture
