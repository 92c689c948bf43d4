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
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ravl.data.pixels import orientation, to_rgb, upright
from ravl.errors import PictureError

Picture = Path | bytes | Image.Image
"""A picture as a caller gives it: its file, its encoded bytes, or decoded."""

MAX_PIXELS = 100_000_000
"""Maximum number of pixels (width x height) of a picture; decoded, they need 400 MB."""
MAX_BYTES = 256 * 2**20
"""Maximum number of bytes of a picture's file."""

_READ = "ravl reads JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF and PPM"
_AGAIN = "Copy or download it again."
_HEAD = 2048  # bytes that are enough to recognise the format
# Pillow's readers are called directly, not through `Image.open`: it would try other decoders (EPS
# starts Ghostscript), warn about sizes that are allowed here, and split an MPO file, which is an
# ordinary JPEG followed by more pictures.
_READERS = {
    rb"\xff\xd8\xff": "Jpeg",
    rb"\x89PNG\r\n\x1a\n": "Png",
    rb"GIF8[79]a": "Gif",
    rb"RIFF.{4}WEBPVP8[ XL]": "WebP",
    rb"II[*+]\0|MM\0[*+]": "Tiff",
    rb".{4}ftyp(avif|avis|(mif1|msf1).{4,60}?avi[fs])": "Avif",
    rb"BM.{12}[\x0c(48@l|]\0\0\0": "Bmp",
    rb"P[1-6f]\s": "Ppm",
}
_FOREIGN = {
    rb".{4}ftyp(hei|hev|mif1|msf1)": "a HEIC picture",
    rb"\s*(<\?xml.*|<!--.*|<!doctype svg.*)?<svg": "an SVG drawing",
    rb"\xff\x0a|\0\0\0\x0cJXL ": "a JPEG XL picture",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "a JPEG 2000 picture",
    rb"\0\0[\1\2]\0": "an icon",
    rb"8BPS": "a Photoshop document",
    rb"%!PS|\xc5\xd0\xd3\xc6": "a PostScript drawing",
    rb"%PDF": "a PDF document",
    rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ": "a video",
    rb"\s*<(!doctype html|html)": "a web page, probably from a failed download",
}
_quiet = threading.Lock()


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """Size and format of a picture, from its header.

    Args:
        width: in pixels, after rotation to upright.
        height: in pixels, after rotation to upright.
        format: "JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF" or "PPM", by content.
    """

    width: int
    height: int
    format: str


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
    if size > max_bytes:
        raise PictureError(
            f"{name} has {size:,} bytes, more than the {max_bytes:,} allowed. Save a smaller "
            "version."
        )
    if not data:
        raise PictureError(f"{name} is empty (0 bytes). {_AGAIN}")
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
        hint: minimum side in pixels that the caller needs. JPEGs are then decoded at 1/2, 1/4 or
            1/8 of their size, if the shorter side stays at least twice as long; ``None`` is full
            size. The pixels depend slightly on it, so use one value for all pictures to compare.
        max_pixels: larger pictures are refused before a pixel is decoded.

    Raises:
        PictureError: unreadable, not a picture, too large, truncated or damaged.
    """
    name = _name(source)
    if isinstance(source, Image.Image):
        with _sentences(name, b""):
            return _upright_rgb(source, name, max_pixels)
    data = read_bytes(source)
    with _sentences(name, data):
        image = _open_header(io.BytesIO(data), name)
        if hint is not None:
            _check_size(image, name, max_pixels)  # of the full picture, not of the reduced one
            image.draft(None, (2 * hint, 2 * hint))
        picture = _upright_rgb(image, name, max_pixels)
        if picture is image:
            # Without the copy the picture would keep the encoded bytes; it takes 8 ms at 1600 x
            # 1200.
            picture = image._new(image.im)
    picture.info = {}  # now upright and opaque: EXIF and transparency no longer apply
    return picture


def probe(source: Path | bytes) -> PictureInfo:
    """Size and format, from the header alone; the pixels are not checked.

    Raises:
        PictureError: unreadable, or not a picture.
    """
    name = _name(source)
    data = source if isinstance(source, bytes) else b""
    with (
        io.BytesIO(source) if isinstance(source, bytes) else _open_file(source) as file,
        _sentences(name, data),
    ):
        image = _open_header(file, name)
        width, height = image.size
        # Pillow rotates the size of a TIFF itself
        if orientation(image) >= 5 and image.format != "TIFF":
            width, height = height, width
        return PictureInfo(width, height, image.format or "")


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
                f"{name} is truncated: the data end inside the picture. {_AGAIN}"
            ) from error
        detail = str(error).rstrip(".") or type(error).__name__
        raise PictureError(f"{name} is damaged or truncated: {detail}. {_AGAIN}") from error


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


def _open_header(file: IO[bytes], name: str) -> ImageFile.ImageFile:
    """The lazily opened picture; no pixel is decoded."""
    head = file.read(_HEAD)
    file.seek(0)
    for magic, reader in _READERS.items():
        if re.match(magic, head, re.DOTALL):
            module = import_module(f"PIL.{reader}ImagePlugin")
            return cast(ImageFile.ImageFile, getattr(module, f"{reader}ImageFile")(file))
    for magic, what in _FOREIGN.items():
        if re.match(magic, head, re.DOTALL | re.IGNORECASE):
            raise PictureError(f"{name} is {what}; {_READ}. Convert it to one of these first.")
    if not head:
        raise PictureError(f"{name} is empty (0 bytes). {_AGAIN}")
    raise PictureError(f"{name} is not a picture of a known format; {_READ}.")


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width:,} x {height:,} pixels, more than the {max_pixels:,} allowed. "
            "Save a smaller version."
        )


def _upright_rgb(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(image, name, max_pixels)
    _load(image)
    return to_rgb(upright(image))


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
