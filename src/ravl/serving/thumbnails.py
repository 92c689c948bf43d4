"""Pictures of the memory as they are shown: sniffed, cached, and known by their content."""

from __future__ import annotations

import threading
from collections import OrderedDict

from ravl.data import pictures
from ravl.errors import PictureError, RowNotFoundError
from ravl.memory import Memory, Row

SIDES = (160, 320, 640)
KEPT = 64 * 2**20  # bytes of thumbnails that are kept
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "PPM": "image/x-portable-anymap",
}


class Thumbnails:
    """Makes thumbnails once.

    Args:
        memory: whose pictures.
        pixels: that a picture may have.
    """

    def __init__(self, memory: Memory, pixels: int) -> None:
        self._memory, self._pixels = memory, pixels
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def row(self, id: str) -> Row:
        """The row with a picture that has this id.

        Raises:
            RowNotFoundError: there is none, or it has no picture.
        """
        row = self._memory.get(id)
        if row.hash is None:
            raise RowNotFoundError(f"The row {id!r} has no picture.")
        return row

    def thumbnail(self, row: Row, side: int) -> bytes:
        """A JPEG of a row's picture that fits into a square.

        Raises:
            PictureError: its file is gone or damaged.
        """
        key = row.hash or "", side
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = pictures.decode(self._bytes(row), hint=side, max_pixels=self._pixels)
        made = pictures.thumbnail(picture, side)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._size += len(made)
            while self._size > KEPT:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made

    def picture(self, row: Row) -> tuple[bytes, str]:
        """A row's picture as it was encoded, and what it is by its content.

        Raises:
            PictureError: its file is gone, damaged or no picture any more.
        """
        data = self._bytes(row)
        try:
            return data, MEDIA_TYPES[pictures.probe(data).format]
        except (PictureError, KeyError):
            raise PictureError(f"The picture of {row.id!r} is damaged.") from None

    def _bytes(self, row: Row) -> bytes:
        try:
            return self._memory.picture_bytes(row)
        except PictureError:  # its sentence names a path of this machine
            raise PictureError(
                f"The picture of {row.id!r} is kept by reference, and its file is gone, or is not "
                "the one that was indexed any more."
            ) from None
