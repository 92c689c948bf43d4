"""Valid files of every kind of picture, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image


def scene(width: int = 80, height: int = 60) -> Image.Image:
    """A smooth picture, dark at the top left, with a red block there that shows any turn."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=-1
    )
    pixels[: height // 4, : width // 4] = (255, 0, 0)
    return Image.fromarray(pixels.astype(np.uint8))


def encode(picture: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


@cache
def samples() -> dict[str, bytes]:
    """One valid file of each kind."""
    rgb = scene()
    deep = Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) << 8)
    return {
        "jpeg": encode(rgb, "JPEG"),
        "progressive": encode(rgb, "JPEG", progressive=True),
        "grey jpeg": encode(rgb.convert("L"), "JPEG"),
        "mpo": encode(rgb, "MPO", save_all=True, append_images=[rgb]),
        "png": encode(rgb, "PNG"),
        "palette png": encode(rgb.quantize(), "PNG"),
        "16-bit png": encode(deep, "PNG"),
        "gif": encode(rgb.quantize(), "GIF"),
        "webp": encode(rgb, "WEBP"),
        "lossless webp": encode(rgb, "WEBP", lossless=True),
        "avif": encode(rgb, "AVIF"),
        "bmp": encode(rgb, "BMP"),
        "palette bmp": encode(rgb.quantize(), "BMP"),
        "ppm": encode(rgb, "PPM"),
        "tiff": encode(rgb, "TIFF"),
        "lzw tiff": encode(rgb, "TIFF", compression="tiff_lzw"),
        "jpeg tiff": encode(rgb, "TIFF", compression="jpeg"),
        "fax tiff": encode(rgb.convert("1"), "TIFF", compression="group4"),
    }


def difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).mean())


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
