"""Valid files of every kind of picture, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image


def scene(width: int = 80, height: int = 60) -> Image.Image:
    """A smooth picture, dark at the top left, with a red block there that shows any turn."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=-1
    )
    pixels[: height // 4, : width // 4] = (255, 0, 0)
    return Image.fromarray(pixels.astype(np.uint8))


def noisy(width: int = 80, height: int = 60, seed: int = 0) -> Image.Image:
    """A picture like a photograph: a scene with grain, no pixel of which is black."""
    grain = np.random.default_rng(seed).integers(20, 80, (height, width, 3))
    return Image.fromarray(
        np.clip(np.asarray(scene(width, height)) * 0.7 + grain, 1, 255).astype(np.uint8)
    )


def encode(picture: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    if format_ == "HEIF":
        heif = pillow_heif.from_pillow(picture)
        heif.save(out, quality=90, **options)
    else:
        picture.save(out, format_, **options)
    return out.getvalue()


@cache
def noisy_files(width: int = 80, height: int = 60, seed: int = 0) -> dict[str, bytes]:
    """A noisy picture as a valid file of each kind, made once."""
    return encoded(noisy(width, height, seed))


def plain_ppm(picture: Image.Image) -> bytes:
    """A PPM whose numbers are written as text."""
    numbers = np.asarray(picture).reshape(len(np.asarray(picture)), -1)
    lines = "\n".join(" ".join(map(str, row)) for row in numbers)
    kind = "P3" if picture.mode == "RGB" else "P2"
    return f"{kind}\n# by hand\n{picture.width} {picture.height}\n255\n{lines}\n".encode()


@cache
def samples() -> dict[str, bytes]:
    """One valid file of each kind."""
    return encoded(scene())


def encoded(rgb: Image.Image) -> dict[str, bytes]:
    """A picture as a valid file of each kind."""
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
        "heif": encode(rgb, "HEIF"),
        "bmp": encode(rgb, "BMP"),
        "palette bmp": encode(rgb.quantize(), "BMP"),
        "ppm": encode(rgb, "PPM"),
        "plain ppm": plain_ppm(rgb),
        "grey plain ppm": plain_ppm(rgb.convert("L")),
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
