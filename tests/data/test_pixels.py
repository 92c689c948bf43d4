"""Every odd picture comes out as upright 8-bit RGB; and what is computed from those."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from ravl.data import pictures
from ravl.errors import PictureError
from tests.data.samples import difference, encode, png_chunk, samples, scene
from tests.helpers import shared_set


@pytest.mark.parametrize("kind", samples())
def test_every_ordinary_format_is_read(kind: str) -> None:
    picture = pictures.decode(samples()[kind])
    assert (picture.mode, picture.size) == ("RGB", (80, 60))
    grey = "grey" in kind or "16-bit" in kind or "fax" in kind
    expected = scene().convert("L").convert("RGB") if grey else scene()
    assert difference(picture, expected) < (110 if "fax" in kind else 14)
    info = pictures.probe(samples()[kind])
    assert (info.width, info.height) == (80, 60)
    assert info.format == kind.split()[-1].upper().replace("MPO", "JPEG").replace(
        "PROGRESSIVE", "JPEG"
    )


UNDONE_BY = {  # how a camera stored the picture that its orientation tag puts right
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation: int, format_: str) -> None:
    stored = scene() if orientation == 1 else scene().transpose(UNDONE_BY[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, format_, exif=exif)
    picture = pictures.decode(data)
    assert difference(picture, scene()) < 6
    info = pictures.probe(data)
    assert (info.width, info.height) == (80, 60)
    assert pictures.decode(picture) is picture  # not turned a second time
    opened = Image.open(io.BytesIO(data))
    assert difference(pictures.decode(opened), scene()) < 6
    hinted = pictures.decode(encode(stored.resize((800, 800)), "JPEG", exif=exif), hint=100)
    assert difference(hinted, scene().resize(hinted.size)) < 6


def test_broken_exif_does_not_lose_the_picture() -> None:
    data = encode(scene(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x99" * 40)
    with warnings.catch_warnings(action="ignore"):
        assert pictures.decode(data).size == (80, 60)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_frame_of_an_animation(format_: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], format_, save_all=True, append_images=frames[1:])
    assert difference(pictures.decode(data), frames[0]) < 3


def ramp(dtype: type, top: float) -> np.ndarray:
    return np.tile(np.linspace(0, top, 256), (4, 1)).astype(dtype)


@pytest.mark.parametrize(
    ("values", "format_"),
    [
        (ramp(np.uint16, 65535), "PNG"),
        (ramp(np.uint16, 65535), "TIFF"),
        (ramp(np.uint16, 65535), "PPM"),
        (ramp(np.uint16, 4095), "TIFF"),  # 12 bits in 16
        (ramp(np.int32, 3_000_000), "TIFF"),
        (ramp(np.float32, 1.0), "TIFF"),
        (ramp(np.float32, 1e6) - 5e5, "TIFF"),
    ],
)
def test_deep_greyscale_is_scaled_not_clipped(values: np.ndarray, format_: str) -> None:
    picture = pictures.decode(encode(Image.fromarray(values), format_))
    grey = np.asarray(picture)[0, :, 0].astype(int)
    assert np.abs(grey - np.arange(256)).max() <= 1
    assert picture.mode == "RGB"


def test_floats_that_are_no_numbers_or_all_equal() -> None:
    values = ramp(np.float32, 1.0)
    values[0, :3] = np.nan, np.inf, -np.inf
    assert pictures.decode(encode(Image.fromarray(values), "TIFF")).getpixel((255, 1)) == (255,) * 3
    flat = Image.fromarray(np.full((3, 3), 7e30, np.float32))
    assert pictures.decode(encode(flat, "TIFF")).getpixel((1, 1)) == (0, 0, 0)


def test_16_bit_rgb() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32768, 0) * 5 for _ in range(4))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows))
    picture = pictures.decode(data + png_chunk(b"IEND", b""))
    assert picture.getpixel((2, 2)) == (255, 128, 0)


def test_cmyk_jpeg_of_both_kinds() -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red ink
    adobe = encode(cmyk, "JPEG", quality=95)
    start = adobe.index(b"\xff\xee")
    length = int.from_bytes(adobe[start + 2 : start + 4], "big") + 2
    plain = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 255)), "JPEG", quality=95)
    plain = plain[:start] + plain[start + length :]  # without the marker values are not inverted
    for data in (adobe, plain):
        red, green, blue = pictures.decode(data).getpixel((8, 8))  # type: ignore[misc]
        assert red > 240
        assert max(green, blue) < 15


def test_transparency_goes_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    grey = Image.new("LA", (4, 4), (0, 0))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    white = (255, 255, 255)
    for format_ in ("PNG", "WEBP", "TIFF"):
        assert pictures.decode(encode(clear, format_)).getpixel((1, 1)) == white
    assert pictures.decode(encode(half, "PNG")).getpixel((1, 1)) == (127, 127, 127)
    assert pictures.decode(encode(grey, "PNG")).getpixel((1, 1)) == white
    for format_ in ("PNG", "GIF"):
        assert pictures.decode(encode(palette, format_, transparency=1)).getpixel((1, 1)) == white
        assert pictures.decode(encode(palette, format_)).getpixel((1, 1)) == (10, 20, 30)
    # a palette with an alpha value for each colour, and one transparent colour of RGB
    alphas = encode(palette, "PNG", transparency=b"\xff\x00")
    assert pictures.decode(alphas).getpixel((1, 1)) == white
    keyed = encode(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    assert pictures.decode(keyed).getpixel((1, 1)) == white


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_extreme_shapes(size: tuple[int, int], format_: str) -> None:
    data = encode(Image.new("RGB", size, (10, 200, 30)), format_)
    picture = pictures.decode(data, hint=224)
    assert picture.size == size
    small = pictures.decode(pictures.thumbnail(picture))
    assert max(small.size) == min(160, max(size))
    assert -(2**63) <= pictures.perceptual_hash(picture) < 2**63


def test_the_hint_keeps_twice_the_short_side() -> None:
    data = encode(scene(1600, 1200), "JPEG")
    sizes = {hint: pictures.decode(data, hint=hint).size for hint in (1, 70, 224, 300, 301, 2000)}
    assert sizes == {
        1: (4, 3),
        70: (200, 150),
        224: (800, 600),
        300: (800, 600),
        301: (1600, 1200),
        2000: (1600, 1200),
    }
    small = pictures.decode(data, hint=224)
    assert difference(small, scene(1600, 1200).resize(small.size)) < 10


def test_pictures_pass_through() -> None:
    rgb = scene()
    assert pictures.decode(rgb) is rgb
    grey = rgb.convert("L")
    assert pictures.decode(grey).mode == "RGB"
    assert grey.mode == "L"
    assert pictures.decode(rgb.convert("LAB")).mode == "RGB"
    broken = Image.open(io.BytesIO(samples()["jpeg"][:-300]))
    with pytest.raises(PictureError, match="truncated"):
        pictures.decode(broken)


def test_result_holds_no_reader_and_no_metadata() -> None:
    for data in samples().values():
        picture = pictures.decode(data)
        assert not isinstance(picture, ImageFile.ImageFile)
        assert picture.info == {}


def test_thumbnail() -> None:
    small = Image.open(io.BytesIO(pictures.thumbnail(scene(640, 480))))
    assert (small.format, small.size) == ("JPEG", (160, 120))
    assert Image.open(io.BytesIO(pictures.thumbnail(scene(30, 20)))).size == (30, 20)
    tall = Image.open(io.BytesIO(pictures.thumbnail(scene(480, 640).convert("RGBA"), side=64)))
    assert (tall.mode, tall.size) == ("RGB", (48, 64))


def distance(a: int, b: int) -> int:
    return ((a ^ b) & (2**64 - 1)).bit_count()


def test_perceptual_hash_survives_resizing_and_recompression() -> None:
    original = scene(800, 600)
    value = pictures.perceptual_hash(original)
    assert -(2**63) <= value < 2**63
    assert value == pictures.perceptual_hash(original)
    assert distance(value, pictures.perceptual_hash(original.resize((200, 150)))) <= 6
    again = pictures.decode(encode(original, "JPEG", quality=30), hint=100)
    assert distance(value, pictures.perceptual_hash(again)) <= 6
    turned = original.transpose(Image.Transpose.ROTATE_180)
    assert distance(value, pictures.perceptual_hash(turned)) > 12


def test_content_hash() -> None:
    assert pictures.content_hash(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert pictures.content_hash(b"a") != pictures.content_hash(b"b")


def test_real_pictures() -> None:
    paths = sorted((shared_set("flickr8k") / "images").iterdir())[:60]
    hashes = []
    for path in paths:
        picture = pictures.decode(path)
        assert (picture.mode, picture.size) == ("RGB", (224, 224))
        hashes.append(pictures.perceptual_hash(picture))
        again = pictures.decode(encode(picture.resize((150, 150)), "JPEG", quality=60))
        assert distance(hashes[-1], pictures.perceptual_hash(again)) <= 6
    apart = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) > 10
