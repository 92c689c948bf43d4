"""Formats of pictures, recognised by content: which are read, and what other files are."""

from __future__ import annotations

import re
from importlib import import_module
from typing import IO, cast

from PIL import ImageFile

from ravl.errors import PictureError

READ = "ravl reads JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF, HEIC and PPM"
HEAD = 2048  # bytes that are enough to recognise the format

# Pillow's readers are called directly, not through `Image.open`: it would try other decoders (EPS
# starts Ghostscript), warn about sizes that are allowed here, and split an MPO file, which is an
# ordinary JPEG followed by more pictures.
_READERS = {
    rb"\xff\xd8\xff": ("JPEG", "PIL.JpegImagePlugin", "JpegImageFile"),
    rb"\x89PNG\r\n\x1a\n": ("PNG", "PIL.PngImagePlugin", "PngImageFile"),
    rb"GIF8[79]a": ("GIF", "PIL.GifImagePlugin", "GifImageFile"),
    rb"RIFF.{4}WEBPVP8[ XL]": ("WEBP", "PIL.WebPImagePlugin", "WebPImageFile"),
    rb"II[*+]\0|MM\0[*+]": ("TIFF", "PIL.TiffImagePlugin", "TiffImageFile"),
    rb".{4}ftyp(avif|avis|(mif1|msf1).{4,60}?avi[fs])": (
        "AVIF",
        "PIL.AvifImagePlugin",
        "AvifImageFile",
    ),
    rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)": ("HEIF", "pillow_heif.as_plugin", "HeifImageFile"),
    rb"BM.{12}[\x0c(48@l|]\0\0\0": ("BMP", "PIL.BmpImagePlugin", "BmpImageFile"),
    rb"P[1-6f]\s": ("PPM", "PIL.PpmImagePlugin", "PpmImageFile"),
}
_FOREIGN = {
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


def recognise(head: bytes, name: str) -> str:
    """The format of a picture: "JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "PPM".

    Args:
        head: the first :data:`HEAD` bytes.
        name: of the file, for the message.

    Raises:
        PictureError: it is empty, or another kind of file.
    """
    for magic, (format, _, _) in _READERS.items():
        if re.match(magic, head, re.DOTALL):
            return format
    for magic, what in _FOREIGN.items():
        if re.match(magic, head, re.DOTALL | re.IGNORECASE):
            raise PictureError(f"{name} is {what}; {READ}. Convert it to one of these first.")
    if not head:
        raise PictureError(f"{name} is empty (0 bytes). Copy or download it again.")
    raise PictureError(f"{name} is not a picture of a known format; {READ}.")


def open_lazily(file: IO[bytes], format: str) -> ImageFile.ImageFile:
    """A picture whose header has been read, and no pixel."""
    _, module, reader = next(found for found in _READERS.values() if found[0] == format)
    return cast(ImageFile.ImageFile, getattr(import_module(module), reader)(file))
