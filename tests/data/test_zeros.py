"""Files whose end was overwritten with zeros."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ravl.data import pictures
from ravl.data.zeros import FEWEST_PIXELS
from ravl.errors import PictureError
from tests.data.samples import encode, noisy, noisy_files, samples

LENGTHS = (70, 400, 1000, 3000)


@pytest.mark.parametrize("kind", [kind for kind in samples() if kind != "mpo"])
def test_zeros_at_the_end_are_noticed(kind: str) -> None:
    data = noisy_files(201, 150)[kind]
    for lost in (*LENGTHS, len(data) // 3, len(data) // 2, len(data) * 9 // 10):
        if lost < 3 * FEWEST_PIXELS and kind in ("bmp", "ppm", "tiff"):  # too few to tell
            continue
        with pytest.raises(PictureError):
            pictures.decode(data[:-lost] + bytes(lost))


@pytest.mark.parametrize("format_", ["BMP", "PPM", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_that_end_in_black_are_read(format_: str, mode: str) -> None:
    """Bars, a lamp at night, a cell on black: none of them was cut off."""
    if format_ in ("WEBP", "AVIF", "HEIF") and mode == "L":
        return
    bar = np.array(noisy(160, 120))
    bar[90:] = 0
    bar[:30] = 0
    y, x = np.mgrid[0:120, 0:160]
    cell = np.where(((x - 70) ** 2 + (y - 50) ** 2 < 900)[..., None], np.array(noisy(160, 120)), 0)
    slope = np.where((y < 60 + x // 20)[..., None], np.array(noisy(160, 120)), 0)
    for pixels in (bar, cell, slope, np.zeros_like(bar), bar[::-1], cell[::-1], slope[::-1]):
        picture = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
        found = pictures.decode(encode(picture, format_))
        if format_ in ("BMP", "PPM", "TIFF"):
            assert found.tobytes() == picture.convert("RGB").tobytes()


def test_a_drawing_on_the_first_colour_of_its_palette_is_read() -> None:
    picture = Image.new("P", (160, 120), 0)
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.paste(1, (20, 20, 60, 80))
    assert pictures.decode(encode(picture, "BMP")).getpixel((0, 119)) == (255, 255, 255)


@pytest.mark.parametrize("method", [0, 4, 6])
@pytest.mark.parametrize("colour", [0, 127, 255])
@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_a_webp_that_ends_in_one_colour_is_read(method: int, colour: int, part: float) -> None:
    """Its data end in many zeros, and all of them are needed."""
    pixels = np.array(noisy(640, 480))
    pixels[int(480 * part) :] = colour
    data = encode(Image.fromarray(pixels), "WEBP", method=method)
    assert pictures.decode(data).size == (640, 480)
    for lost in (len(data) // 3, len(data) // 2):
        with pytest.raises(PictureError):
            pictures.decode(data[:-lost] + bytes(lost))


def test_zeros_behind_the_data_are_padding() -> None:
    data = encode(noisy(), "WEBP")
    assert pictures.decode(data + bytes(4096)).tobytes() == pictures.decode(data).tobytes()


def test_zeros_at_the_end_of_metadata_are_no_pixels() -> None:
    exif = Image.Exif()
    exif[0x927C] = b"maker" + bytes(3000)
    data = encode(noisy(), "WEBP", exif=exif.tobytes() + bytes(300))
    assert data.endswith(bytes(100))
    assert pictures.decode(data).size == (80, 60)


def test_a_turned_tiff_of_a_night_is_read() -> None:
    night = np.array(noisy(160, 120))
    night[60:, 40:] = 0
    night[61:] = 0
    exif = Image.Exif()
    exif[0x0112] = 3
    out = io.BytesIO()
    Image.fromarray(night[::-1, ::-1].copy()).save(out, "TIFF", exif=exif)
    assert pictures.decode(out.getvalue()).size == (160, 120)
