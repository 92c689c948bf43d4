"""Files whose end was lost and filled with zeros, as broken disks and downloads leave them.

Formats without checksums decode such a file without an error, to other pixels. Compressed data
hardly ever end in zeros: a file that does is decoded a second time with other bytes in their place,
and if the pixels differ, the zeros were read as data. Uncompressed pixels may be zeros: there the
shape tells, since black parts of a picture seldom begin in the middle of a row of bright pixels. A
lossy WebP of a picture with an even end may end in zeros; but it needs all of them, and a file that
was overwritten has more than the decoder reads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ravl.data.soundness import MAX_PARTS, end_of_data

FEWEST = 8  # zero bytes at the end that are looked at
FEWEST_PIXELS = 64  # zero pixels at the end of an uncompressed picture
BRIGHT = 16  # of 255: a pixel that is not black
_STRIPS = ((273, 279), (324, 325))  # tags: offsets and lengths of a TIFF's strips, or tiles
_JPEG_TABLES = 347
_FILL = bytes((137 * i + 53) % 255 + 1 for i in range(256))  # no zero, no long repetition


def refilled(data: bytes, image: Image.Image) -> bytes | None:
    """The file with other bytes in place of the zeros at the end of its data; None for few zeros.

    Args:
        data: of the file.
        image: opened from it.
    """
    end = _end(data, image)
    kept = len(data[:end].rstrip(b"\0"))
    if end - kept < FEWEST:
        return None
    repeated = _FILL * ((end - kept) // len(_FILL) + 1)
    return data[:kept] + repeated[: end - kept] + data[end:]


def halved(data: bytes) -> bytes | None:
    """A lossy WebP with half of the zeros at the end of its data; None for few, or another file."""
    found = _webp_data(data)
    if found is None or data[found[0] : found[0] + 4] != b"VP8 ":
        return None
    start, end = found
    zeros = end - len(data[:end].rstrip(b"\0"))
    if zeros < FEWEST:
        return None
    body = data[start + 8 : end - zeros // 2]
    chunk = b"VP8 " + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
    rest = data[8:start] + chunk
    return b"RIFF" + len(rest).to_bytes(4, "little") + rest


def is_compressed(image: Image.Image) -> bool:
    """True if the pixels of an opened picture are compressed in its file."""
    if image.format == "TIFF":
        return bool(image.info.get("compression", "raw") != "raw")
    if image.format == "BMP":
        return any(tile[0] != "raw" for tile in getattr(image, "tile", ()))
    return image.format != "PPM"


def tables_are_cut(image: Image.Image) -> bool:
    """True for a TIFF whose JPEG tables, which lie apart from the pixels, lack their end."""
    tables = getattr(image, "tag_v2", {}).get(_JPEG_TABLES)
    return isinstance(tables, bytes) and not tables.endswith(b"\xff\xd9")


def cut_in_a_row(image: Image.Image, from_below: bool) -> bool:
    """True if an uncompressed picture ends in zeros that begin in the middle of a bright row.

    Args:
        image: decoded, in its own mode.
        from_below: True if the file has the lowest row first.
    """
    values = np.asarray(image)  # (H, W) or (H, W, C)
    rows = values[::-1] if from_below else values
    width = rows.shape[1]
    dark = _dark(rows[-1:])
    last = len(rows) - 1
    while last > 0 and dark.all():  # the last row that is not all zero
        last -= 1
        dark = _dark(rows[last : last + 1])
    filled = np.flatnonzero(~dark[0])
    start = int(filled[-1]) + 1 if len(filled) else 0
    count = (len(rows) - 1 - last) * width + width - start
    if not 0 < start < width or count < FEWEST_PIXELS:
        return False
    if not last:
        return True
    bright = 1 if image.mode in ("1", "P") else BRIGHT
    above = ~_dark(rows[last - 1 : last], bright)[0, start:]
    return float(above.mean()) >= 0.5


def _dark(rows: NDArray[np.generic], least: int = 1) -> NDArray[np.bool_]:
    """Which pixels (r, W) are zero, or below a brightness of 255."""
    values = rows.max(axis=2) if rows.ndim == 3 else rows
    if values.dtype == np.bool_:
        return np.asarray(values == 0)
    if values.dtype == np.uint8 or least == 1:
        return np.asarray(np.abs(values) < least)
    deep = np.asarray(np.abs(values).astype(np.float64))
    return np.asarray(deep < least / 255 * max(float(deep.max()), 1.0))


def _end(data: bytes, image: Image.Image) -> int:
    """Where the data of the picture end."""
    if image.format == "WEBP" and (found := _webp_data(data)) is not None:
        return found[1]
    if image.format != "TIFF":
        return end_of_data(data)
    tags = getattr(image, "tag_v2", {})
    for offsets, lengths in _STRIPS:
        if offsets in tags and lengths in tags:
            ends = zip(tags[offsets], tags[lengths], strict=False)
            return min(len(data), max((a + b for a, b in ends), default=len(data)))
    return len(data)


def _webp_data(data: bytes) -> tuple[int, int] | None:
    """Start and end of the part of a WebP that has its pixels; None for an animation."""
    position = 12
    for _ in range(MAX_PARTS):
        kind = data[position : position + 4]
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return position, min(end, len(data))
        if len(kind) < 4 or end >= len(data):
            return None
        position = end + end % 2
    return None
