"""Pixels in the form that a network needs: upright, RGB, 8 bits, opaque."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

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


def to_rgb(image: Image.Image) -> Image.Image:
    """The decoded picture as 8-bit RGB, transparency on white; unchanged if it is RGB already.

    Greyscale with more bits is scaled as :func:`ravl.data.pictures.decode` documents.
    """
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow treats every CMYK JPEG as Adobe's inverted kind
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
    values = np.asarray(image)  # (H, W)
    if image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I"):
        bits = 16 if (top := int(values.max())) >= 4096 else max(8, top.bit_length())
        return Image.fromarray((values >> (bits - 8)).astype(np.uint8))
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    if image.mode == "F" and low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    scaled = (finite - low) * (255.0 / max(high - low, 1e-30))
    return Image.fromarray(scaled.round().astype(np.uint8))
