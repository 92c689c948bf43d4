"""PPM files in the one form that Pillow reads quickly.

Pillow reads comments byte by byte, and numbers that are written as text, or have an unusual
maximum, one by one in Python. Here NumPy does it, with the same result.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ravl.errors import PictureError

MAX_HEADER = 65_536  # bytes before the pixels, comments included
MAX_PLAIN = 16 * 2**20  # bytes of a file whose numbers are written as text
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_COMMENT = re.compile(rb"#[^\r\n]*")


def binary_ppm(data: bytes, name: str, max_pixels: int) -> bytes:
    """A PPM without comments, with binary numbers up to 255 or, for 16-bit grey, 65,535.

    Args:
        data: of a PBM, PGM, PPM (plain or binary) or PFM.
        name: of the file, for messages.
        max_pixels: larger pictures are returned as they are, for the caller to refuse.

    Raises:
        PictureError: the header is too long or not valid, the data end too early, or a number is
            too large.
    """
    kind = data[1:2]
    count = 2 if kind in b"14" else 3
    found = re.match(rb"P." + (_GAP + rb"([^\s#]{1,10})") * count, data[:MAX_HEADER])
    if found is None:
        raise PictureError(
            f"{name} has no valid PPM header in its first {MAX_HEADER:,} bytes. Save it again "
            "without comments."
        )
    header = b" ".join((data[:2], *found.groups())) + b"\n"
    if kind == b"f":
        return header + data[found.end() + 1 :]
    width, height, *rest = (int(number) for number in found.groups())
    top = rest[0] if rest else 1
    if not 0 < width * height <= max_pixels or not 0 < top < 65536:
        return header
    shape = (height, width, 3) if kind in b"36" else (height, width)
    if kind in b"123":
        values = _plain(data[found.end() :], shape, kind, name)
    elif kind == b"4" or top == 255 or (top == 65535 and kind == b"5"):
        return header + data[found.end() + 1 :]
    else:
        values = _binary(data[found.end() + 1 :], shape, top, name)
    if int(values.max()) > top:
        raise PictureError(f"{name} is damaged: a number is larger than its maximum of {top:,}.")
    if kind == b"1":
        packed: bytes = np.packbits(values == 1, axis=1).tobytes()
        return b"P4 %d %d\n" % (width, height) + packed
    deep = top > 255 and len(shape) == 2
    out = 65535 if deep else 255
    scale = np.minimum(out, np.round(np.arange(top + 1) / top * out))
    scaled = scale.astype(">u2" if deep else np.uint8)[values]
    letter = b"P6" if len(shape) == 3 else b"P5"
    pixels: bytes = scaled.tobytes()
    return letter + b" %d %d %d\n" % (width, height, out) + pixels


def _plain(data: bytes, shape: tuple[int, ...], kind: bytes, name: str) -> NDArray[np.integer]:
    if len(data) > MAX_PLAIN:
        raise PictureError(
            f"{name} has {len(data):,} bytes of numbers as text; at most {MAX_PLAIN:,} are read. "
            "Save it as a binary PPM, or as PNG."
        )
    text = _COMMENT.sub(b" ", data)
    if not re.fullmatch(rb"[0-9\s]*", text):
        raise PictureError(f"{name} is damaged: between its numbers there is something else.")
    needed = int(np.prod(shape))
    if kind == b"1":
        digits = np.frombuffer(b"".join(text.split())[:needed], np.uint8) - ord("0")
        return _shaped(digits, shape, name)
    return _shaped(np.fromstring(text.decode(), np.int64, sep=" ")[:needed], shape, name)


def _binary(data: bytes, shape: tuple[int, ...], top: int, name: str) -> NDArray[np.integer]:
    needed, kind = int(np.prod(shape)), np.dtype(">u2" if top > 255 else np.uint8)
    count = min(needed, len(data) // kind.itemsize)
    return _shaped(np.frombuffer(data, kind, count), shape, name)


def _shaped(values: NDArray[np.integer], shape: tuple[int, ...], name: str) -> NDArray[np.integer]:
    if len(values) < int(np.prod(shape)):
        raise PictureError(
            f"{name} is truncated: the data end inside the picture. Copy or download it again."
        )
    return values.reshape(shape)
