"""Decoding pictures: the only place where untrusted bytes become pixels.

For any input, :func:`decode` returns an upright 8-bit RGB picture or raises
:class:`~ravl.errors.PictureError` with a sentence. It never raises another exception and never
returns a partly decoded picture.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ravl.data.formats import HEAD, open_lazily, recognise
from ravl.data.pixels import BAND, orientation, to_rgb, upright
from ravl.data.ppm import binary_ppm
from ravl.data.soundness import AGAIN, endings, jpeg_structure, whole_png
from ravl.data.zeros import cut_in_a_row, halved, is_compressed, refilled, tables_are_cut
from ravl.errors import PictureError

Picture = Path | bytes | Image.Image
"""A picture as a caller gives it: its file, its encoded bytes, or decoded."""

MAX_PIXELS = 100_000_000
"""Maximum number of pixels (width x height) of a picture; decoded, they need 400 MB."""
MAX_BYTES = 256 * 2**20
"""Maximum number of bytes of a picture's file."""

LARGE = 16_000_000  # pixels; larger pictures are decoded one at a time
_quiet = threading.Lock()
_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """Size and format of a picture, from its header.

    Args:
        width: in pixels, after rotation to upright.
        height: in pixels, after rotation to upright.
        format: "JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF" or "PPM", by content.
    """

    width: int
    height: int
    format: str


def check_file(source: Path, max_bytes: int = MAX_BYTES) -> None:
    """Refuse what :func:`read_bytes` would refuse, without reading it.

    Raises:
        PictureError: missing, a folder, a device, unreadable, empty or too large.
    """
    name = _name(source)
    with _open_file(source) as file:
        size = os.fstat(file.fileno()).st_size
    _check_bytes(name, size, max_bytes)


def _check_bytes(name: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise PictureError(
            f"{name} has {size:,} bytes, more than the {max_bytes:,} allowed. Save a smaller "
            "version."
        )
    if not size:
        raise PictureError(f"{name} is empty (0 bytes). {AGAIN}")


def read_bytes(source: Path | bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """The encoded bytes of a picture.

    Args:
        source: a file, or its bytes.
        max_bytes: larger files are refused before they are read.

    Raises:
        PictureError: missing, a folder, a device, unreadable, empty or too large.
    """
    name = _name(source)
    if isinstance(source, bytes):
        data, size = source, len(source)
    else:
        with _open_file(source) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(max_bytes) if size <= max_bytes else b""
    _check_bytes(name, max(size, len(data)) if data or size > max_bytes else 0, max_bytes)
    return data


def decode(
    source: Picture, *, hint: int | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """An upright 8-bit RGB picture: the first frame of an animation, transparency on white.

    The format is recognised by the content, not by the file's name. Greyscale with more bits is
    scaled to 8 bits: 16-bit pictures by their full range, or by the range of the 9 to 12 bits that
    they use; 32-bit integers and floats from their lowest to their highest value, except for floats
    in 0 to 1.

    Args:
        source: a file, encoded bytes, or a picture; a picture that needs no change is returned
            itself.
        hint: minimum side in pixels that the caller needs. The picture is then reduced to 1/2, 1/4,
            1/8 ... of its size, if the shorter side stays at least twice as long; a JPEG while it
            is decoded. ``None`` is full size. The pixels depend slightly on it, so use one value
            for all pictures to compare.
        max_pixels: larger pictures are refused before a pixel is decoded; for WebP, whose decoder
            needs twice the memory of others, three fifths of it.

    Raises:
        PictureError: unreadable, not a picture, too large, truncated or damaged.
    """
    name = _name(source)
    if isinstance(source, Image.Image):
        with _sentences(name, b""):
            _check_size(source, name, max_pixels)
            _load(source)
            return to_rgb(upright(source))
    data = read_bytes(source)
    with _sentences(name, data), _in_turn(data, name):
        image = _decoded(data, name, hint, max_pixels)
        factor = _factor(*image.size, hint)
        picture = upright(to_rgb(image, factor)) if factor > 1 else to_rgb(upright(image))
        if picture is image:
            # Without the copy the picture would keep the encoded bytes; it takes 8 ms at 1600 x
            # 1200.
            picture = image._new(image.im)
    picture.info = {}  # now upright and opaque: EXIF and transparency no longer apply
    return picture


def reduced_pixels(width: int, height: int, hint: int | None) -> int:
    """At most so many pixels :func:`decode` gives for a picture of this size."""
    factor = _factor(width, height, hint)
    return -(-width // factor) * -(-height // factor)


def probe(source: Path | bytes) -> PictureInfo:
    """Size and format, from the header alone; the pixels are not checked.

    Raises:
        PictureError: unreadable, or not a picture.
    """
    name = _name(source)
    with (
        io.BytesIO(source) if isinstance(source, bytes) else _open_file(source) as file,
        _sentences(name, source if isinstance(source, bytes) else b""),
    ):
        head = file.read(HEAD)
        file.seek(0)
        format = recognise(head, name)
        if format in ("PNG", "PPM"):  # may have long texts or comments before the pixels
            whole = _whole(read_bytes(source), format, name, MAX_PIXELS)
            image = open_lazily(io.BytesIO(whole), format)
        else:
            image = open_lazily(file, format)
        width, height = image.size
        # Pillow rotates the size of a TIFF itself
        if orientation(image) >= 5 and image.format != "TIFF":
            width, height = height, width
        return PictureInfo(width, height, format)


def thumbnail(picture: Image.Image, side: int = 160, quality: int = 80) -> bytes:
    """A JPEG of the picture, at most ``side`` x ``side`` pixels, never enlarged.

    Args:
        picture: any input of :func:`decode`.
        side: of the square that the result must fit into, in pixels.
        quality: of the JPEG, 1 to 95.

    Raises:
        PictureError: the picture cannot be converted to RGB.
    """
    rgb = decode(picture)
    scale = min(1.0, side / max(rgb.size))
    size = max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale))
    out = io.BytesIO()
    rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0).save(out, "JPEG", quality=quality)
    return out.getvalue()


def perceptual_hash(picture: Image.Image) -> int:
    """ImageHash's 64-bit phash as a signed integer, -2^63 to 2^63 - 1, for SQLite.

    Near-identical pictures (resized, recompressed) differ in a few of the 64 bits, unrelated ones
    in about 32: count them with ``((a ^ b) & (2**64 - 1)).bit_count()``. All pictures of one
    uniform colour have the same hash.
    """
    import imagehash  # imports SciPy, which takes half a second; only indexing needs it

    factor = min(picture.size) // 128
    small = picture.reduce(factor) if factor > 1 else picture  # the hash uses 32 x 32 pixels
    bits: NDArray[np.bool_] = imagehash.phash(small).hash  # (8, 8)
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)


def content_hash(data: bytes) -> str:
    """32 hexadecimal digits (BLAKE2b, 16 bytes) that identify the bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _name(source: Path | bytes | Image.Image) -> str:
    return str(source) if isinstance(source, Path) else "The picture"


def _open_file(path: Path) -> IO[bytes]:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe or a device could wait forever
            what = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise PictureError(f"{path} is {what}, not a picture's file.")
        return path.open("rb")
    except FileNotFoundError:
        raise PictureError(f"{path} does not exist. Check the path.") from None
    except PermissionError:
        raise PictureError(f"{path} cannot be read by this user. Change its permissions.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise PictureError(f"{path} cannot be read: {error}.") from error


@contextmanager
def _sentences(name: str, data: bytes) -> Iterator[None]:
    """Turn every exception of a decoder into a :class:`PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError:
        raise PictureError(
            f"{name} needs more memory than is available. Save a smaller version."
        ) from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} has more pixels than allowed: {error}") from error
    except Exception as error:  # for damaged bytes Pillow raises many kinds of exceptions
        if _is_cut(data, error):
            raise PictureError(
                f"{name} is truncated: the data end inside the picture. {AGAIN}"
            ) from error
        detail = str(error).rstrip(".") or type(error).__name__
        raise PictureError(f"{name} is damaged or truncated: {detail}. {AGAIN}") from error


def _is_cut(data: bytes, error: Exception) -> bool:
    """Whether the file is truncated, by Pillow's message or by the sizes in the header."""
    if isinstance(error, EOFError) or re.search("(?i)truncated|not enough|EOF|no more", str(error)):
        return True
    size, stated = len(data), 0
    if data.startswith(b"RIFF"):
        stated = int.from_bytes(data[4:8], "little") + 8
    elif data.startswith((b"II*\0", b"MM\0*")):
        stated = int.from_bytes(data[4:8], "little" if data[:1] == b"I" else "big") + 2
    elif data[4:8] == b"ftyp":
        while stated < size and (box := int.from_bytes(data[stated : stated + 4], "big")) > 1:
            stated += box
    return stated > size


def _decoded(data: bytes, name: str, hint: int | None, max_pixels: int) -> Image.Image:
    """The decoded picture, in its own mode; checked for what decoders pass over in silence."""
    format = recognise(data[:HEAD], name)
    versions = _versions(data, format, name, max_pixels)
    image = _opened(versions[0], format, name, hint, max_pixels)
    compressed, turned = is_compressed(image), orientation(image) != 1
    if tables_are_cut(image):
        raise _lost_end(name)
    half = halved(data) if format == "WEBP" else None
    zeros = format not in ("JPEG", "PNG") and half is None
    other = refilled(versions[0], image) if zeros else None
    _load(image)
    if half is not None and _reads_as(half, image, name, hint, max_pixels):
        raise _lost_end(name)
    if other is not None and compressed:
        versions.append(other)
    elif other is not None and not turned and cut_in_a_row(image, _from_below(data)):
        raise _lost_end(name)
    if not all(_reads_as(other, image, name, hint, max_pixels) for other in versions[1:]):
        raise _lost_end(name)
    return image


def _reads_as(
    data: bytes, image: Image.Image, name: str, hint: int | None, max_pixels: int
) -> bool:
    """True if other bytes are decoded to the same picture; False also if they cannot be."""
    try:
        again = _opened(data, recognise(data[:HEAD], name), name, hint, max_pixels)
        _load(again)
    except Exception:
        return False
    return _same(image, again)


@contextmanager
def _in_turn(data: bytes, name: str) -> Iterator[None]:
    """Large pictures one after the other in this process: one alone takes hundreds of MB."""
    format = recognise(data[:HEAD], name)
    if format in ("PNG", "PPM"):  # their headers are short, and their texts may be long
        large = len(data) > LARGE // 100 or _claims(data, format) > LARGE
    else:
        width, height = open_lazily(io.BytesIO(data), format).size
        large = width * height > LARGE
    with _large if large else nullcontext():
        yield


def _claims(data: bytes, format: str) -> int:
    """Pixels by the header of a PNG; none for a PPM, which has a byte for each few of them."""
    width, height = data[16:20], data[20:24]
    return int.from_bytes(width, "big") * int.from_bytes(height, "big") if format == "PNG" else 0


def _versions(data: bytes, format: str, name: str, max_pixels: int) -> list[bytes]:
    """The bytes for Pillow; several if all must have the same pixels."""
    if format == "JPEG":
        structure = jpeg_structure(data, name)
        if structure.ended:
            return [data]
        if not structure.complete:
            raise _lost_end(name)
        return endings(data)
    return [_whole(data, format, name, max_pixels)]


def _whole(data: bytes, format: str, name: str, max_pixels: int) -> bytes:
    if format == "PNG":
        return whole_png(data, name)
    return binary_ppm(data, name, max_pixels) if format == "PPM" else data


def _opened(
    data: bytes, format: str, name: str, hint: int | None, max_pixels: int
) -> ImageFile.ImageFile:
    image = open_lazily(io.BytesIO(data), format)
    _check_size(image, name, max_pixels)  # of the full picture, not of the reduced one
    if hint is not None and format == "JPEG":
        image.draft(None, (2 * hint, 2 * hint))
    return image


def _factor(width: int, height: int, hint: int | None) -> int:
    """By which a decoded picture is reduced: a power of two."""
    times = 1 if hint is None else min(width, height) // (2 * max(1, hint))
    return 1 << max(0, times.bit_length() - 1)


def _from_below(data: bytes) -> bool:
    """True if an uncompressed file has its lowest row first."""
    return data.startswith(b"Pf") or (
        data.startswith(b"BM") and int.from_bytes(data[22:26], "little", signed=True) > 0
    )


def _same(one: Image.Image, other: Image.Image) -> bool:
    """True if two pictures have the same pixels; compared in bands, to need little memory."""
    if (one.size, one.mode) != (other.size, other.mode):
        return False
    for top in range(0, one.height, BAND):
        box = (0, top, one.width, min(top + BAND, one.height))
        if one.crop(box).tobytes() != other.crop(box).tobytes():
            return False
    return True


def _lost_end(name: str) -> PictureError:
    return PictureError(
        f"{name} is truncated: the end of its data is missing, or was overwritten with zeros. "
        f"{AGAIN}"
    )


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    webp = image.format == "WEBP"
    most = max_pixels * 3 // 5 if webp else max_pixels
    if width * height > most:
        raise PictureError(
            f"{name} has {width:,} x {height:,} pixels, more than the {most:,} allowed"
            f"{' for WebP, whose decoder needs more memory' if webp else ''}. Save a smaller "
            "version."
        )


def _load(image: Image.Image) -> None:
    """Decode the pixels, without Pillow's own warning about a size that is allowed here."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or image.width * image.height <= limit:
        image.load()
        return
    # TIFF checks a second time. Warning filters are global: one thread at a time.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image.load()
