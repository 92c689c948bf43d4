"""Pixels in the form that a network needs: upright, RGB, 8 bits, opaque."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

BAND = 256  # rows that are converted at once
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 if EXIF does not give it."""
    try:  # PNG's own `getexif` would decode the picture
        return int(Image.Image.getexif(image).get(_ORIENTATION, 1))
    except Exception:  # broken EXIF: the picture itself is valid
        return 1


def upright(image: Image.Image) -> Image.Image:
    """The decoded picture, rotated and mirrored by its EXIF; unchanged without EXIF."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image, factor: int = 1) -> Image.Image:
    """The decoded picture as 8-bit RGB, transparency on white; unchanged if it is RGB already.

    Greyscale with more bits is scaled as :func:`ravl.data.pictures.decode` documents.

    Args:
        image: decoded.
        factor: by which width and height are divided: the mean of so many pixels each way becomes
            one. It is done in bands of rows, so no second picture of full size is made.
    """
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    # Pillow treats every CMYK JPEG as Adobe's inverted kind
    inverted = image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info
    if factor == 1:
        return _band_to_rgb(image, inverted)
    size = -(-image.width // factor), -(-image.height // factor)
    small = Image.new("RGB", size)
    step = max(1, BAND // factor) * factor
    for top in range(0, image.height, step):
        band = image.crop((0, top, image.width, min(top + step, image.height)))
        small.paste(_band_to_rgb(band, inverted).reduce(factor), (0, top // factor))
    return small


def _band_to_rgb(image: Image.Image, inverted: bool) -> Image.Image:
    if inverted:
        image = ImageChops.invert(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return rgba.convert("RGB")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=alpha)
    return white


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale with 8 bits, in bands of rows: floats of a whole picture take much memory."""
    out = np.empty((image.height, image.width), np.uint8)
    if image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I"):
        top = max(int(values.max()) for _, values in _bands(image))
        bits = 16 if top >= 4096 else max(8, top.bit_length())
        for row, values in _bands(image):
            out[row : row + len(values)] = np.right_shift(values.astype(np.int64), bits - 8)
        return Image.fromarray(out)
    finite = (_finite(values) for _, values in _bands(image))
    ends = [(float(band.min()), float(band.max())) for band in finite]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if image.mode == "F" and low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    for row, values in _bands(image):
        scaled = (_finite(values) - low) * (255.0 / max(high - low, 1e-30))
        out[row : row + len(values)] = scaled.round().astype(np.uint8)
    return Image.fromarray(out)


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """The first row and the values (r, W) of each band of rows."""
    for top in range(0, image.height, BAND):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + BAND, image.height))))


def _finite(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
