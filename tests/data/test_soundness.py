"""Files that decoders would read though they are not whole, and whole ones that they refuse."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ravl.data import pictures
from ravl.data.soundness import MAX_PARTS, MAX_SCANS, end_of_data, jpeg_structure
from ravl.errors import PictureError
from tests.data.samples import encode, noisy, noisy_files, png_chunk, samples


def same(data: bytes, sound: bytes) -> bool:
    return pictures.decode(data).tobytes() == pictures.decode(sound).tobytes()


@pytest.mark.parametrize("kind", ["png", "palette png", "16-bit png"])
def test_every_changed_byte_of_a_png_is_noticed(kind: str) -> None:
    data = noisy_files()[kind]
    random_ = random.Random(1)
    for place in random_.sample(range(8, len(data)), 200):
        changed = bytearray(data)
        changed[place] ^= random_.randrange(1, 256)
        with pytest.raises(PictureError, match="checksum|truncated"):
            pictures.decode(bytes(changed))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_png_with_long_texts_and_profiles_is_read(zipped: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 1_500_000, zip=zipped)
    info.add_itxt("XML:com.adobe.xmp", "y" * 1_500_000, zip=zipped)
    data = encode(noisy(), "PNG", pnginfo=info, icc_profile=b"p" * 1_500_000)
    assert same(data, encode(noisy(), "PNG"))
    assert pictures.probe(data) == pictures.PictureInfo(80, 60, "PNG")


def test_a_text_may_hold_the_orientation() -> None:
    info = PngImagePlugin.PngInfo()
    xmp = '<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    info.add_itxt("XML:com.adobe.xmp", xmp)
    data = encode(noisy(), "PNG", pnginfo=info)
    assert pictures.decode(data).size == (60, 80)
    assert (pictures.probe(data).width, pictures.probe(data).height) == (60, 80)


def test_a_png_of_endless_chunks_is_refused() -> None:
    data = encode(noisy(), "PNG")
    tiny = png_chunk(b"teXt", b"")
    with pytest.raises(PictureError, match="chunks, which would take too long"):
        pictures.decode(data[:33] + tiny * (MAX_PARTS + 1) + data[33:])
    assert same(data[:33] + tiny * 1000 + data[33:], data)


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "grey jpeg"])
@pytest.mark.parametrize("padding", [b"", b"\0" * 5000, b"\xff", b"\xff" + b"\0" * 9])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(kind: str, padding: bytes) -> None:
    for files in (noisy_files(), noisy_files(83, 61, seed=5)):
        data = files[kind]
        assert data.endswith(b"\xff\xd9")
        assert same(data[:-2] + padding, data)
        assert pictures.decode(data[:-2] + padding, hint=4).size[1] <= 15


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "grey jpeg"])
@pytest.mark.parametrize("padding", [b"", b"\0" * 5000])
def test_a_jpeg_that_lacks_a_few_more_bytes_is_not_read(kind: str, padding: bytes) -> None:
    data = noisy_files(83, 61)[kind]
    for lost in (*range(6, 40), 300, 1000):
        with pytest.raises(PictureError, match="truncated"):
            pictures.decode(data[: -2 - lost] + padding)


def test_a_progressive_jpeg_between_two_scans_is_not_whole() -> None:
    data = samples()["progressive"]
    scans = [i for i in range(len(data)) if data[i : i + 2] == b"\xff\xda"]
    structure = jpeg_structure(data, "x")
    assert (structure.scans, structure.ended) == (len(scans), True)
    for cut in scans[1:]:
        assert not jpeg_structure(data[:cut], "x").complete
        with pytest.raises(PictureError, match="truncated"):
            pictures.decode(data[:cut])


def repeated_scans(side: int, times: int) -> bytes:
    """A progressive JPEG of a few kilobytes whose last scan comes again and again."""
    data = encode(Image.new("RGB", (side, side), (90, 120, 60)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pictures.decode(repeated_scans(64, 20)).size == (64, 64)
    monkeypatch.setattr(pictures, "_load", None)
    for side, times in ((64, MAX_SCANS), (7000, 40)):
        with pytest.raises(PictureError, match="scans over .* would take too long"):
            pictures.decode(repeated_scans(side, times))


def test_a_jpeg_of_endless_segments_is_refused() -> None:
    data = samples()["jpeg"]
    with pytest.raises(PictureError, match="segments, which would take too long"):
        pictures.decode(data[:2] + b"\xff\xfe\0\2" * (MAX_PARTS + 1) + data[2:])


def test_where_files_say_that_they_end() -> None:
    for kind in ("webp", "avif", "heif"):
        data = samples()[kind]
        assert end_of_data(data) == end_of_data(data + bytes(4096)) == len(data)
        assert same(data + bytes(4096), data)
    assert end_of_data(samples()["bmp"]) == len(samples()["bmp"])


def test_an_animated_png_whose_later_frames_are_damaged_is_not_whole() -> None:
    frames = [noisy(seed=i) for i in range(3)]
    data = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert same(data, encode(frames[0], "PNG"))
    with pytest.raises(PictureError, match="checksum"):
        pictures.decode(data[:-200] + bytes([data[-200] ^ 1]) + data[-199:])


def test_pixels_that_a_checksum_covers_are_compared_for_interlaced_files_too() -> None:
    body = zlib.compress(b"".join(b"\0" + bytes(range(3, 27)) for _ in range(8)))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    parts = [b"\x89PNG\r\n\x1a\n", header, png_chunk(b"IDAT", body), png_chunk(b"IEND", b"")]
    picture = np.asarray(pictures.decode(b"".join(parts)))
    assert picture[0, 0].tolist() == [3, 4, 5]
    parts[2] = parts[2][:-1] + bytes([parts[2][-1] ^ 1])
    with pytest.raises(PictureError, match=r"checksum of its part b'IDAT'"):
        pictures.decode(io.BytesIO(b"".join(parts)).read())
