"""PPM files: the same pixels as Pillow reads, in less time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ravl.data import pictures
from ravl.data.pixels import to_rgb
from ravl.data.ppm import MAX_HEADER, MAX_PLAIN, binary_ppm
from ravl.errors import PictureError

R = np.random.default_rng(0)


def written(kind: int, width: int, height: int, top: int) -> bytes:
    """A file with comments, and all values up to the maximum."""
    shape = (height, width, 3) if kind in (3, 6) else (height, width)
    values = R.integers(0, top + 1, shape)
    maximum = b"" if kind in (1, 4) else b"%d # the most\n" % top
    head = b"P%d #x\n# 12 34\n%d # wide\n\n%d\n%s" % (kind, width, height, maximum)
    if kind < 4:
        return head + b"\n# and here\n".join(
            b" ".join(b"%d" % v for v in row.ravel()) for row in values
        )
    if kind == 4:
        return head.rstrip() + b"\n" + np.packbits(values == 1, axis=1).tobytes()
    head = b"P%d\n# c\n%d %d %d\n" % (kind, width, height, top)
    return head + values.astype(">u2" if top > 255 else np.uint8).tobytes()


@pytest.mark.parametrize(
    ("kind", "top"),
    [
        *((1, 1), (2, 255), (2, 7), (2, 1000), (2, 65535), (3, 255), (3, 100), (3, 4095), (4, 1)),
        *((5, 255), (5, 100), (5, 1023), (5, 65535), (6, 255), (6, 31), (6, 1023), (6, 65535)),
    ],
)
def test_the_pixels_are_those_that_pillow_reads(kind: int, top: int) -> None:
    data = written(kind, 37, 23, top)
    with Image.open(io.BytesIO(data)) as found:
        found.load()
        expected = to_rgb(found)
    assert pictures.decode(data).tobytes() == expected.tobytes()
    assert pictures.probe(data) == pictures.PictureInfo(37, 23, "PPM")


def test_comments_take_no_time() -> None:
    """Pillow reads a header byte by byte, and copies the rest for each comment of the pixels."""
    data = written(3, 8, 8, 255)
    noise = b"#\n" * 500_000
    assert pictures.decode(data + noise).size == (8, 8)
    body = data.index(b"\n# and here") + 1
    assert pictures.decode(data[:body] + noise + data[body:]).size == (8, 8)
    with pytest.raises(PictureError, match=f"first {MAX_HEADER:,} bytes"):
        pictures.decode(b"P6\n" + noise + b"8 8 255\n" + bytes(192))


@pytest.mark.parametrize("kind", [1, 2, 3, 5, 6])
def test_a_file_that_ends_early(kind: int) -> None:
    data = written(kind, 30, 20, 1 if kind == 1 else 200)
    for cut in (len(data) - 40, len(data) // 2):
        with pytest.raises(PictureError, match="truncated"):
            pictures.decode(data[:cut])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"P2 2 1 10 5 11", "larger than its maximum of 10"),
        (b"P5 2 1 10 \5\13", "larger than its maximum of 10"),
        (b"P2 2 1 10 5 x", "something else"),
        (b"P2 2 1 10 5 -1", "something else"),
        (b"P6 99999999999999999999 1 255 x", "no valid PPM header"),
        (b"P6 0 0 255 x", "damaged|pixels"),
        (b"P5 2 2 70000 xxxxxxxx", "damaged"),
    ],
)
def test_damaged_files(data: bytes, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        pictures.decode(data)


def test_long_plain_files_are_refused() -> None:
    with pytest.raises(PictureError, match="numbers as text"):
        binary_ppm(b"P2 5000 5000 255\n" + b"1 " * MAX_PLAIN, "x", 100_000_000)
