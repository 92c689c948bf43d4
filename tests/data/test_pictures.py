"""Bad pictures: each gets a sentence, none is decoded in part."""

from __future__ import annotations

import io
import os
import resource
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from ravl.data import pictures
from ravl.errors import PictureError
from tests.data.samples import difference, encode, png_chunk, samples, scene


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
    with pytest.raises(PictureError, match="cannot be read"):
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
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 80, "is damaged or truncated"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + b"\0" * 80, "is damaged or truncated"),
        (b"\xff\x0a" + b"x" * 80, "a JPEG XL picture.*Convert it"),
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


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header claims side x side pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


@pytest.mark.parametrize("hint", [None, 224])
def test_a_huge_picture_is_refused_by_its_header(hint: int | None) -> None:
    data = bomb(60_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(PictureError, match="60,000 x 60,000 pixels, more than the 100,000,000"),
    ):
        pictures.decode(data, hint=hint)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert pictures.probe(data) == pictures.PictureInfo(60_000, 60_000, "PNG")


def test_the_limit_counts_the_whole_picture_not_the_draft() -> None:
    data = encode(scene(640, 480), "JPEG")
    with pytest.raises(PictureError, match=r"640 x 480 pixels, more than the 300,000"):
        pictures.decode(data, hint=32, max_pixels=300_000)
    with pytest.raises(PictureError, match="640 x 480"):
        pictures.decode(Image.open(io.BytesIO(data)), max_pixels=300_000)
    assert pictures.decode(data, max_pixels=640 * 480).size == (640, 480)


def test_a_webp_may_have_fewer_pixels() -> None:
    data = encode(scene(640, 480), "WEBP")
    with pytest.raises(PictureError, match=r"more than the 180,000 allowed for WebP"):
        pictures.decode(data, max_pixels=300_000)
    assert pictures.decode(data, max_pixels=640 * 480 * 5 // 3).size == (640, 480)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "avif", "bmp", "tiff", "lzw tiff"])
def test_pillows_own_limit_does_not_speak(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 80 * 60 - 1)
    with warnings.catch_warnings(action="error"):
        assert pictures.decode(samples()[kind]).size == (80, 60)
    assert Image.MAX_IMAGE_PIXELS == 80 * 60 - 1


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
