"""Decoding: every bad picture gets a sentence, every odd one comes out as upright 8-bit RGB."""

from __future__ import annotations

import io
import os
import resource
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, TiffImagePlugin

from ravl.data import pictures
from ravl.errors import PictureError
from tests.helpers import shared_set


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


@pytest.mark.parametrize("kind", [k for k in samples() if k != "mpo"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_a_truncated_file_is_never_half_a_picture(kind: str, share: float) -> None:
    data = samples()[kind]
    with pytest.raises(PictureError, match="truncated: "):
        pictures.decode(data[: int(len(data) * share)])


def test_the_sentence_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(samples()["jpeg"][:900])
    with pytest.raises(PictureError, match=r"half\.jpg is truncated"):
        pictures.decode(path)


def test_missing_folder_device_and_empty(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    cases: list[tuple[Path | bytes, str]] = [
        (tmp_path / "none.jpg", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.jpg", "device or pipe"),
        (empty, r"is empty \(0 bytes\)"),
        (Path("a\0b.jpg"), "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (empty / "below", "cannot be read"),
        (b"", "is empty"),
    ]
    for source, sentence in cases:
        with pytest.raises(PictureError, match=sentence):
            pictures.read_bytes(source)
        with pytest.raises(PictureError, match=sentence):
            pictures.decode(source)
        with pytest.raises(PictureError, match=sentence):
            pictures.probe(source)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(samples()["jpeg"])
    path.chmod(0)
    with pytest.raises(PictureError, match="may not be read"):
        pictures.read_bytes(path)


def test_too_many_bytes_are_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(50 * 2**30)  # sparse
    with pytest.raises(PictureError, match=r"53,687,091,200 bytes, more than the 268,435,456"):
        pictures.decode(path)
    assert pictures.read_bytes(b"12345", max_bytes=5) == b"12345"
    with pytest.raises(PictureError, match="6 bytes, more than the 5"):
        pictures.read_bytes(b"123456", max_bytes=5)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"Dear all, see the attached picture.", "not a picture of a known format"),
        (b"BMW is a maker of cars, not a bitmap.", "not a picture of a known format"),
        (b"P 5 is not a pixmap", "not a picture of a known format"),
        (b"\x00" * 500, "not a picture of a known format"),
        (b"\xff\xd8\xff", "truncated|damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing.*Convert it"),
        (b"<?xml version='1.0'?>\n<!-- Inkscape -->\n<svg width='5'>", "an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 80, "a HEIC picture.*Convert it"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + b"\0" * 80, "a HEIC picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 80, "a video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\n<!DOCTYPE html><html><svg></svg>404</html>", "a web page"),
    ],
)
def test_what_is_not_a_picture(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "misnamed.jpg"
    path.write_bytes(data)
    for source in (path, data):
        for function in (pictures.decode, pictures.probe):
            with pytest.raises(PictureError, match=f"(?s){sentence}"):
                function(source)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(samples()["png"])
    assert difference(pictures.decode(path), scene()) == 0
    assert pictures.probe(path).format == "PNG"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header claims side x side pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


@pytest.mark.parametrize("hint", [None, 224])
def test_a_huge_picture_is_refused_by_its_header(hint: int | None) -> None:
    data = bomb(60_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(PictureError, match="60,000 x 60,000 pixels, more than the 100,000,000"),
    ):
        pictures.decode(data, hint=hint)
    assert time.perf_counter() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert pictures.probe(data) == pictures.PictureInfo(60_000, 60_000, "PNG")


def test_the_limit_counts_the_whole_picture_not_the_draft() -> None:
    data = encode(scene(640, 480), "JPEG")
    with pytest.raises(PictureError, match=r"640 x 480 pixels, more than the 300,000"):
        pictures.decode(data, hint=32, max_pixels=300_000)
    with pytest.raises(PictureError, match="640 x 480"):
        pictures.decode(Image.open(io.BytesIO(data)), max_pixels=300_000)
    assert pictures.decode(data, max_pixels=640 * 480).size == (640, 480)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "avif", "bmp", "tiff", "lzw tiff"])
def test_pillows_own_limit_does_not_speak(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 80 * 60 - 1)
    with warnings.catch_warnings(action="error"):
        assert pictures.decode(samples()[kind]).size == (80, 60)
    assert Image.MAX_IMAGE_PIXELS == 80 * 60 - 1


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
        1: (200, 150),
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


def test_many_threads_decode_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 80 * 60 - 1)
    filters = list(warnings.filters)
    jobs = [d for d in samples().values() for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        decoded = list(pool.map(pictures.decode, jobs))
    assert {p.mode for p in decoded} == {"RGB"}
    assert list(warnings.filters) == filters


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(samples())),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=12
    ),
    early=st.booleans(),
)
def test_damaged_bytes_give_a_picture_or_a_sentence(
    kind: str, flips: list[tuple[float, int]], early: bool
) -> None:
    data = bytearray(samples()[kind])
    reach = min(len(data), 200) if early else len(data)  # headers break in more ways than pixels
    for place, mask in flips:
        data[int(place * reach)] ^= mask
    with warnings.catch_warnings(action="ignore"):
        for function in (pictures.decode, pictures.probe):
            with suppress(PictureError):  # any other exception fails the test
                result = function(bytes(data))
                assert function is pictures.probe or result.mode == "RGB"  # type: ignore[union-attr]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_behind_a_magic_number(tail: bytes) -> None:
    for magic in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"P6\n", b"P3 "):
        with warnings.catch_warnings(action="ignore"):
            try:
                picture = pictures.decode(magic + tail, max_pixels=10_000_000)
            except PictureError:
                continue
        assert picture.mode == "RGB"


@pytest.mark.parametrize(
    "error", [MemoryError(), struct.error("x"), OverflowError("x"), zlib.error("x"), KeyError("x")]
)
def test_any_failure_of_the_decoder_becomes_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", fail)
    with pytest.raises(PictureError, match=r"needs more memory|is damaged or truncated"):
        pictures.decode(samples()["tiff"])


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
