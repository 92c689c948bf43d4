"""Whether a picture's file is whole, decided from its structure before a pixel is decoded.

Decoders are lenient: they fill in what is missing. So checksums are compared here, and what a
file says of itself with what is there. The same walk over the structure refuses files that are made
to take minutes: thousands of scans or chunks.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ravl.errors import PictureError

MAX_PARTS = 100_000  # chunks or segments of a file
MAX_SCANS = 64  # of a JPEG; usual are 1 to 13
MAX_SCAN_PIXELS = 2_000_000_000  # scans times pixels: several seconds
AGAIN = "Copy or download it again."

_PNG_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"))
_PNG_ORIENTATION = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PNG_TEXT = 2**19  # bytes of a text that may hold the orientation, half of Pillow's limit
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_FILLS = (b"", b"\x55" * 64, b"\xaa" * 64)  # in place of missing data: their first bits differ


def png_chunks(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a PNG, checksums compared.

    Raises:
        PictureError: a checksum is wrong, the data end before the last chunk, or there are too many
            chunks.
    """
    position, view = 8, memoryview(data)
    for _ in range(MAX_PARTS):
        start, kind = position + 8, data[position + 4 : position + 8]
        end = start + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            raise PictureError(f"{name} is truncated: the data end inside the picture. {AGAIN}")
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PictureError(
                f"{name} is damaged: the checksum of its part {kind!r} at byte {position:,} is "
                f"wrong. {AGAIN}"
            )
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4
    raise _too_much(name, f"more than {MAX_PARTS:,} chunks")


def whole_png(data: bytes, name: str) -> bytes:
    """A PNG without the texts and profiles that Pillow has a limit for; they change no pixel.

    Raises:
        PictureError: as :func:`png_chunks`.
    """
    parts = [data[:8]]
    for kind, start, end in png_chunks(data, name):
        if kind in _PNG_KEPT or (kind in _PNG_TEXTS and _may_turn(data[start:end])):
            parts.append(data[start - 8 : end + 4])
    return b"".join(parts)


def _may_turn(text: bytes) -> bool:
    """True for a short text in which programs write the orientation."""
    if not text.startswith(_PNG_ORIENTATION) or len(text) > _PNG_TEXT:
        return False
    for start in (i for i in range(min(len(text), 200)) if text[i : i + 1] == b"\x78"):  # zlib
        try:
            if zlib.decompressobj().decompress(text[start:], _PNG_TEXT)[_PNG_TEXT - 1 :]:
                return False
        except zlib.error:
            continue
    return True


@dataclass(frozen=True, slots=True)
class JpegStructure:
    """What the markers of a JPEG say.

    Args:
        scans: passes over the picture.
        ended: whether the end marker is there.
        complete: whether the scans give every component all its bits.
    """

    scans: int
    ended: bool
    complete: bool


def jpeg_structure(data: bytes, name: str) -> JpegStructure:
    """Walk over the markers of a JPEG.

    Raises:
        PictureError: it has too many segments or scans.
    """
    position, scans, pixels, components = 2, 0, 0, 0
    bits: dict[tuple[int, int], int] = {}  # of each component and coefficient, those left out
    for _ in range(MAX_PARTS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:
            return JpegStructure(scans, True, True)
        if marker in (0x01, 0xD8):
            continue
        body = data[position + 2 : position + int.from_bytes(data[position : position + 2], "big")]
        position += 2 + len(body)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            pixels = int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
            components = body[5]
        elif marker == 0xDA and body:
            scans += 1
            if scans > MAX_SCANS or scans * pixels > MAX_SCAN_PIXELS:
                raise _too_much(name, f"at least {scans:,} scans over {pixels:,} pixels")
            number = body[0]
            if len(body) >= 4 + 2 * number:
                first, last, left = body[1 + 2 * number : 4 + 2 * number]
                for component in body[1 : 1 + 2 * number : 2]:
                    for k in range(first, min(last, 63) + 1):
                        bits[component, k] = left & 15
    else:
        raise _too_much(name, f"more than {MAX_PARTS:,} segments")
    done = len(bits) == 64 * components and not any(bits.values())
    return JpegStructure(scans, False, bool(components) and done)


def endings(data: bytes) -> list[bytes]:
    """A JPEG that lacks its end marker, with different data in place of what may be missing.

    If nothing but the marker is missing, all of them have the same pixels. Zeros at the end are cut
    off, since they may be what a lost part of the file was filled with.
    """
    kept = data.rstrip(b"\0")
    kept = kept + b"\0" if kept.endswith(b"\xff") and len(kept) < len(data) else kept
    kept = kept if kept.endswith(b"\xff\0") else kept.rstrip(b"\xff")
    return [kept + fill + b"\xff\xd9" for fill in _FILLS]


def end_of_data(data: bytes) -> int:
    """Where a WebP, AVIF or HEIC file says that it ends; bytes behind that are padding."""
    if data.startswith(b"RIFF"):
        return min(len(data), int.from_bytes(data[4:8], "little") + 8)
    if data[4:8] != b"ftyp":
        return len(data)
    position = 0
    for _ in range(MAX_PARTS):
        size = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size == 0 and any(kind):  # to the end of the file
            return len(data)
        if size < 8:
            return position
        position += size
        if position >= len(data):
            return len(data)
    return len(data)


def _too_much(name: str, what: str) -> PictureError:
    return PictureError(
        f"{name} has {what}, which would take too long to decode. Save it again with a usual "
        "program."
    )
